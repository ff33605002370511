// SPDX-License-Identifier: MIT
// kdhost.top_k: the share of samples whose label is among the k highest scores.
#pragma once
#include "class_scores.hpp"

namespace kdhost::plugins {

struct TopK final : Metric {
  static void describe(Spec& s) {
    s.id("kdhost.top_k").version("1.0.0").summary("share of samples whose label is among the k highest scores");
    s.details("top_k = (1/N) #{i : y_i among the k largest z_ic}, in [0, 1]; 1 where there are at most k classes.");
    s.recipe("[[metric]]\nuse    = \"kdhost.top_k\"\nparams = { k = 5 }\n");
    s.integer("k", 5).at_least(1).doc("number of scores that count");
    declare_scores(s);
    declare_label(s);
  }
  Tensor sums(const Call& c) override {
    const Tensor z = scores_of(c, kStudent);
    const Tensor best = topk(z, std::min(c.integer("k"), z.size(1)), 1).indices;
    return share_sums(any(eq(best, labels_of(c).unsqueeze(1)), 1));
  }
  void result(const Call& c, const std::vector<double>& s) override { c.emit_number("top_k", s[0] / s[1]); }
};

}  // namespace kdhost::plugins
