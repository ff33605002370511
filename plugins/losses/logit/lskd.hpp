// SPDX-License-Identifier: MIT
//
// kdhost.lskd: logit standardisation.                              Sun, Ren, Li, Wang, Cao, CVPR 2024, arXiv 2403.01427
//
//   L = T^2/N sum_i KL(p_t || p_s),   p = softmax(y / T),   y = (z - mean_c z) / (1e-7 + std_c z)
//
// std with divisor C-1, per sample, both sides; the gradient goes through mean and std. Default = the authors' code.
// The same step is `standardize = true` of kdhost.kd, kdhost.dkd and kdhost.mlkd. A constant row standardises to 0 and
// gets no gradient. Two classes standardise to +-0.707, whatever the logits: a warning.
#pragma once
#include "divergence.hpp"
#include "logit_source.hpp"
#include "standardize.hpp"

namespace kdhost::plugins {

struct Lskd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.lskd")
        .version("1.0.0")
        .summary("logit standardisation: distillation of logits with mean 0 and deviation 1 in each sample");
    s.source(
        "Sun, Ren, Li, Wang, Cao, Logit Standardization in Knowledge Distillation, CVPR 2024, arXiv 2403.01427; "
        "default = authors' code");
    s.details(
        "T^2 (1/N) sum_i KL(p_t || p_s) with p = softmax(y / T), y = (z - mean_c z) / (1e-7 + std_c z), std with "
        "divisor C-1, per sample on both sides: each side gets the temperature that its own logits need. The "
        "gradient goes through mean and std; a constant row gives 0 and no gradient. At least two classes; with "
        "exactly two the rows are always +-0.707 (a warning). Also as standardize = true on kdhost.kd, kdhost.dkd "
        "and kdhost.mlkd. Several teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.lskd\"\nweight = 9.0\nparams = { temperature = 2.0 }\n");
    s.number("temperature", 2.0).above(0.0).doc("softens both standardised sides").schedulable();
    LogitSource::describe(s);
  }

  Lskd(const Params& p, const Ports& ports, Builder&) : logits_(p, ports) {}

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    const LogitPair z = standardize_(logits_.pair(c, temperature));
    DivergenceOf d;
    d.student_scale = d.teacher_scale = 1.0 / temperature;
    d.factor = temperature * temperature / static_cast<double>(z.student.size(0));
    return divergence("kdhost.lskd", z, d);
  }

 private:
  LogitSource logits_;
  Standardize standardize_;
};

}  // namespace kdhost::plugins
