// SPDX-License-Identifier: MIT
// kdhost.precision: of the samples predicted to be of a class, the share that is; mean over classes.
#pragma once
#include "class_counts.hpp"

namespace kdhost::plugins {

struct Precision final : Metric {
  static void describe(Spec& s) {
    s.id("kdhost.precision").version("1.0.0").summary("precision, mean over classes (macro)");
    s.details(
        "precision_k = right_k / predicted_k, 0 where the class is never predicted; mean over the classes that occur "
        "as label\n"
        "or prediction, in [0, 1].");
    s.recipe("[[metric]]\nuse = \"kdhost.precision\"\n");
    describe_macro(s);
  }
  Tensor sums(const Call& c) override { return class_count_sums(c); }
  void result(const Call& c, const std::vector<double>& s) override {
    c.emit_number("precision", macro_mean(s, [](double right, double predicted, double) {
                    return predicted > 0 ? right / predicted : 0.0;
                  }));
  }
};

}  // namespace kdhost::plugins
