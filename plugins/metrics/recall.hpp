// SPDX-License-Identifier: MIT
// kdhost.recall: of the samples of a class, the share that is recognised; mean over classes.
#pragma once
#include "class_counts.hpp"

namespace kdhost::plugins {

struct Recall final : Metric {
  static void describe(Spec& s) {
    s.id("kdhost.recall").version("1.0.0").summary("recall, mean over classes (macro)");
    s.details(
        "recall_k = right_k / actual_k, 0 where no sample is of the class; mean over the classes that occur as label "
        "or\n"
        "prediction, in [0, 1].");
    s.recipe("[[metric]]\nuse = \"kdhost.recall\"\n");
    describe_macro(s);
  }
  Tensor sums(const Call& c) override { return class_count_sums(c); }
  void result(const Call& c, const std::vector<double>& s) override {
    c.emit_number("recall",
                  macro_mean(s, [](double right, double, double actual) { return actual > 0 ? right / actual : 0.0; }));
  }
};

}  // namespace kdhost::plugins
