// SPDX-License-Identifier: MIT
// kdhost.f1: the harmonic mean of precision and recall; mean over classes.
#pragma once
#include "class_counts.hpp"

namespace kdhost::plugins {

struct F1 final : Metric {
  static void describe(Spec& s) {
    s.id("kdhost.f1").version("1.0.0").summary("F1, mean over classes (macro)");
    s.details(
        "f1_k = 2 right_k / (predicted_k + actual_k); mean over the classes that occur as label or prediction, in [0, "
        "1].\n"
        "The mean of the classes' F1, not the F1 of the mean precision and recall.");
    s.recipe("[[metric]]\nuse = \"kdhost.f1\"\n");
    describe_macro(s);
  }
  Tensor sums(const Call& c) override { return class_count_sums(c); }
  void result(const Call& c, const std::vector<double>& s) override {
    c.emit_number("f1", macro_mean(s, [](double right, double predicted, double actual) {
                    return 2.0 * right / (predicted + actual);
                  }));
  }
};

}  // namespace kdhost::plugins
