// SPDX-License-Identifier: MIT
//
// kdhost.wsld: weighted soft labels.                                           Zhou et al., ICLR 2021, arXiv 2102.00650
//
//   L = T^2 * mean_i w_i (-sum_c p_t log p_s),   p = softmax(z / T)
//   w_i = 1 - exp(-CE_s / (CE_t + 1e-7)), the label cross-entropies of both sides at T = 1, without gradient
//
// Samples that the student already knows better than the teacher count less. Cross-entropy form by definition: not 0 at
// equality. Default = authors' code and MMRazor.
#pragma once
#include "divergence.hpp"
#include "label_rows.hpp"
#include "logit_source.hpp"

namespace kdhost::plugins {

struct Wsld final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.wsld")
        .version("1.0.0")
        .summary("weighted soft labels: less weight where the student knows the label better than the teacher");
    s.source(
        "Zhou et al., Rethinking Soft Labels for Knowledge Distillation: A Bias-Variance Tradeoff Perspective, ICLR "
        "2021, arXiv 2102.00650; default = authors' code, MMRazor");
    s.details(
        "T^2 mean_i w_i (-sum_c p_t log p_s), p = softmax(z / T), w_i = 1 - exp(-CE_s / (CE_t + 1e-7)) from the "
        "label cross-entropies at T = 1, without gradient. Cross-entropy form by definition: not 0 at equality. "
        "Needs hard labels. Several teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.wsld\"\nweight = 2.5\nparams = { temperature = 2.0 }\n");
    s.number("temperature", 2.0).above(0.0).doc("softens both sides").schedulable();
    LogitSource::describe(s, Labels::hard);
  }

  Wsld(const Params& p, const Ports& ports, Builder&) : logits_(p, ports) {}

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    const LogitPair z = logits_.pair(c, temperature);
    const std::int64_t n = z.student.size(0);
    const Tensor y = hard_labels(c, n, z.classes());
    DivergenceOf d;
    d.what = Divergence::cross_entropy;
    d.student_scale = d.teacher_scale = 1.0 / temperature;
    d.factor = temperature * temperature / static_cast<double>(n);
    {
      const NoGrad off;
      d.weight = -expm1(-label_cross_entropy(z.student, y) / (label_cross_entropy(z.teacher, y) + 1e-7));
    }
    return divergence("kdhost.wsld", z, d);
  }

 private:
  LogitSource logits_;
};

}  // namespace kdhost::plugins
