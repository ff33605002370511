// SPDX-License-Identifier: MIT
// kdhost.nll: negative log-likelihood, the cross-entropy of the labels without smoothing or temperature.
#pragma once
#include "class_scores.hpp"

namespace kdhost::plugins {

struct Nll final : Metric {
  static void describe(Spec& s) {
    s.id("kdhost.nll").version("1.0.0").summary("mean negative log-likelihood of the labels").lower_is_better();
    s.details(
        "nll = -(1/N) sum_i log softmax(z_i)[y_i], natural logarithm; for labels that are probabilities\n"
        "-(1/N) sum_i sum_c y_ic log softmax(z_i)[c]. Computed in float64.");
    s.recipe("[[metric]]\nuse = \"kdhost.nll\"\n");
    declare_scores(s);
    s.input(kLabel).doc("[N] class numbers, or [N, C] probabilities");
  }
  Tensor sums(const Call& c) override {
    const Tensor log_p = log_softmax(scores_of(c, kStudent), 1, Dtype::f64);
    const Tensor y = c[kLabel];
    if (y.dim() == 2) return share_sums(-(y.to(Dtype::f64) * log_p).sum({1}));
    return share_sums(-log_p.gather(1, labels_of(c).unsqueeze(1)).squeeze(1));
  }
  void result(const Call& c, const std::vector<double>& s) override { c.emit_number("nll", s[0] / s[1]); }
};

}  // namespace kdhost::plugins
