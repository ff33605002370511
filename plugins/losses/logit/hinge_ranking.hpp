// SPDX-License-Identifier: MIT
//
// kdhost.hinge_ranking: the order of the teacher's most probable classes, by a margin.
//   C. Goddard, DistillKit (loss "hinge")
//
//   mean over pairs (ranked_pairs.hpp, eps 1e-8) of max(0, margin - (p_s,k - p_s,l))
//
// The published code divides by the number of pairs + eps, and takes the margin p_t,k - p_t,l where none is given; so
// does this.
#pragma once
#include "ranked_pairs.hpp"

namespace kdhost::plugins {

struct HingeRanking final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.hinge_ranking")
        .version("1.0.0")
        .summary("the teacher's order of its most probable classes, by a margin between probabilities");
    s.source("C. Goddard, DistillKit (\"hinge\"); golden value our own computation with its function in PyTorch");
    s.details(
        "Mean over all pairs (k, l) of the teacher's top_k classes with p_t,k > p_t,l + 1e-8, both above 1e-8, of "
        "max(0, margin - (p_s,k - p_s,l)), p = softmax(z). Without margin: the teacher's own difference p_t,k - "
        "p_t,l, so that the loss is 0 at equality. No temperature; no pair, no value. Several teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.hinge_ranking\"\nweight = 1.0\nparams = { top_k = 10 }\n");
    s.number("margin").at_least(0.0).doc("lead of the preferred class; the teacher's own unless written");
    RankedPairs::describe(s);
  }

  HingeRanking(const Params& p, const Ports& ports, Builder&)
      : logits_(p, ports),
        top_k_(p.integer("top_k")),
        own_margin_(p.has("margin")),
        margin_(p.number_or("margin", 0)) {}

  Tensor compute(const Call& c) override {
    constexpr double kEps = 1e-8;
    const LogitPair z = logits_.pair(c);
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher)) {
      const RankingByRows ranking{"kdhost.hinge_ranking", kEps, true, own_margin_, margin_};
      return z.student.dtype() == Dtype::f32 ? ranking.value<float>(z, top_k_) : ranking.value<double>(z, top_k_);
    }
    const RankedPairs pairs(z, top_k_, kEps);
    const Tensor apart = RankedPairs::differences(softmax(z.student, 1).gather(1, pairs.index));
    const Tensor missing = own_margin_ ? margin_ - apart : RankedPairs::differences(pairs.p_t) - apart;
    return pairs.mean(missing.relu(), kEps);
  }

 private:
  LogitSource logits_;
  std::int64_t top_k_;
  bool own_margin_;
  double margin_;
};

}  // namespace kdhost::plugins
