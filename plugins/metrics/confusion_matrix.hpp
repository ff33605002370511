// SPDX-License-Identifier: MIT
// kdhost.confusion_matrix: how many samples of each class are taken for which.
#pragma once
#include "class_scores.hpp"

namespace kdhost::plugins {

struct ConfusionMatrix final : Metric {
  static void describe(Spec& s) {
    s.id("kdhost.confusion_matrix")
        .version("1.0.0")
        .summary("how many samples of each class are taken for which class");
    s.details(
        "Numbers: accuracy (the metric's own value), then label_i.predicted_j, the samples of class i predicted to be "
        "of\n"
        "class j, row by row: C^2 of them.");
    s.recipe("[[metric]]\nuse = \"kdhost.confusion_matrix\"\n");
    declare_scores(s);
    declare_label(s);
  }
  /// float64 [C * C], label first.
  Tensor sums(const Call& c) override {
    const Tensor z = scores_of(c, kStudent);
    const std::int64_t classes = z.size(1);
    return indicators(labels_of(c), classes).t().matmul(indicators(argmax(z, 1), classes)).reshape({-1});
  }
  void result(const Call& c, const std::vector<double>& s) override {
    const auto classes = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(s.size()))));
    double right = 0, all = 0;
    for (std::size_t i = 0; i < s.size(); ++i) {
      all += s[i];
      if (i / classes == i % classes) right += s[i];
    }
    c.emit_number("accuracy", right / all);
    for (std::size_t i = 0; i < s.size(); ++i)
      c.emit_number("label_" + std::to_string(i / classes) + ".predicted_" + std::to_string(i % classes), s[i]);
  }
};

}  // namespace kdhost::plugins
