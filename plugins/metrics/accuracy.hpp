// SPDX-License-Identifier: MIT
// kdhost.accuracy: the share of samples whose highest score is the label's.
#pragma once
#include "class_scores.hpp"

namespace kdhost::plugins {

struct Accuracy final : Metric {
  static void describe(Spec& s) {
    s.id("kdhost.accuracy").version("1.0.0").summary("share of samples that are classified rightly");
    s.details("accuracy = (1/N) #{i : argmax_c z_ic = y_i}, in [0, 1].");
    s.recipe("[[metric]]\nuse = \"kdhost.accuracy\"\n");
    declare_scores(s);
    declare_label(s);
  }
  Tensor sums(const Call& c) override { return share_sums(eq(argmax(scores_of(c, kStudent), 1), labels_of(c))); }
  void result(const Call& c, const std::vector<double>& s) override { c.emit_number("accuracy", s[0] / s[1]); }
};

}  // namespace kdhost::plugins
