// SPDX-License-Identifier: MIT
//
// kdhost.tvd: total variation distance.
//
//   L = T^2 * mean_i 1/2 sum_c |p_t - p_s|,     p = softmax(z / T)
//
// Liger-Kernel and distillm at T = 1, DistillKit with T^2. Between 0 and T^2; where both sides agree on a class it
// gives that class no gradient.
#pragma once
#include "divergence.hpp"
#include "logit_source.hpp"

namespace kdhost::plugins {

struct Tvd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.tvd").version("1.0.0").summary("total variation distance of the softened probabilities");
    s.source(
        "Wen et al., f-Divergence Minimization for Sequence-Level Knowledge Distillation, ACL 2023, arXiv "
        "2307.15190; equal to Liger-Kernel and distillm (T = 1), DistillKit (T^2)");
    s.details(
        "T^2 mean_i 1/2 sum_c |p_t - p_s|, p = softmax(z / T): bounded by T^2, so that no sample dominates. A class "
        "on which both agree gives no gradient. Several teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.tvd\"\nweight = 1.0\n");
    s.number("temperature", 1.0).above(0.0).doc("softens both sides").schedulable();
    LogitSource::describe(s);
  }

  Tvd(const Params& p, const Ports& ports, Builder&) : logits_(p, ports) {}

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    const LogitPair z = logits_.pair(c, temperature);
    DivergenceOf d;
    d.what = Divergence::total_variation;
    d.student_scale = d.teacher_scale = 1.0 / temperature;
    d.factor = temperature * temperature / static_cast<double>(z.student.size(0));
    return divergence("kdhost.tvd", z, d);
  }

 private:
  LogitSource logits_;
};

}  // namespace kdhost::plugins
