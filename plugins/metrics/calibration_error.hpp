// SPDX-License-Identifier: MIT
// kdhost.ece: expected calibration error, how far a model's confidence is from how often it is right.
#pragma once
#include "class_scores.hpp"

namespace kdhost::plugins {

struct CalibrationError final : Metric {
  static void describe(Spec& s) {
    s.id("kdhost.ece").version("1.0.0").summary("expected calibration error of the predicted class").lower_is_better();
    s.source(
        "Naeini, Cooper, Hauskrecht 2015; Guo, Pleiss, Sun, Weinberger 2017, arXiv 1706.04599, equation 3, 15 bins");
    s.details(
        "Samples are sorted by confidence max_c softmax(z_i)[c] into equal bins ((b-1)/B, b/B];\n"
        "ece = sum_b (n_b / N) |accuracy_b - mean confidence_b|, in [0, 1]. Computed in float64.");
    s.recipe("[[metric]]\nuse    = \"kdhost.ece\"\nparams = { bins = 15 }\n");
    s.integer("bins", 15).range(1, 10000).doc("number of bins B");
    declare_scores(s);
    declare_label(s);
  }
  /// For each bin: samples, sum of confidences, samples that are right.
  Tensor sums(const Call& c) override {
    const std::int64_t bins = c.integer("bins");
    const auto [confidence, predicted] = max(softmax(scores_of(c, kStudent), 1, Dtype::f64), 1);
    const Tensor right = eq(predicted, labels_of(c)).to(Dtype::f64);
    const Tensor bin = clamp(ceil(confidence * static_cast<double>(bins)) - 1.0, 0.0, static_cast<double>(bins - 1));
    const Tensor in_bin = indicators(bin, bins);
    return cat({in_bin.sum({0}), (in_bin * confidence.unsqueeze(1)).sum({0}), (in_bin * right.unsqueeze(1)).sum({0})});
  }
  void result(const Call& c, const std::vector<double>& s) override {
    const std::size_t bins = s.size() / 3;
    double samples = 0, gap = 0;
    for (std::size_t b = 0; b < bins; ++b) {
      samples += s[b];
      gap += std::fabs(s[2 * bins + b] - s[bins + b]);
    }
    c.emit_number("ece", gap / samples);
  }
};

}  // namespace kdhost::plugins
