// SPDX-License-Identifier: MIT
// kdhost.agreement: how often student and teacher predict the same class, right or wrong.
#pragma once
#include "class_scores.hpp"

namespace kdhost::plugins {

struct Agreement final : Metric {
  static void describe(Spec& s) {
    s.id("kdhost.agreement")
        .version("1.0.0")
        .summary("share of samples for which student and teacher predict the same class");
    s.source("Stanton et al. 2021, Does knowledge distillation really work?, arXiv 2106.05945, top-1 agreement");
    s.details("agreement = (1/N) #{i : argmax_c z^s_ic = argmax_c z^t_ic}, in [0, 1]. Needs no labels.");
    s.recipe("[[metric]]\nuse = \"kdhost.agreement\"\n");
    declare_scores(s);
    s.input(kTeacher).doc("[N, C] class scores of the teacher");
  }
  Tensor sums(const Call& c) override {
    return share_sums(eq(argmax(scores_of(c, kStudent), 1), argmax(scores_of(c, kTeacher), 1)));
  }
  void result(const Call& c, const std::vector<double>& s) override { c.emit_number("agreement", s[0] / s[1]); }
};

}  // namespace kdhost::plugins
