// SPDX-License-Identifier: MIT
//
// kdhost.logistic_ranking: the order of the teacher's most probable classes, by the logistic loss.
//   C. Goddard, DistillKit (loss "logistic_ranking")
//
//   mean over pairs (ranked_pairs.hpp, eps 1e-9) of log(1 + exp(-(z_s,k - z_s,l)))
//
// The published code divides by the number of pairs + eps; so does this.
#pragma once
#include "ranked_pairs.hpp"

namespace kdhost::plugins {

struct LogisticRanking final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.logistic_ranking")
        .version("1.0.0")
        .summary("the teacher's order of its most probable classes, by the logistic loss of logit differences");
    s.source(
        "C. Goddard, DistillKit (\"logistic_ranking\"); golden value our own computation with its function "
        "in PyTorch");
    s.details(
        "Mean over all pairs (k, l) of the teacher's top_k classes with p_t,k > p_t,l + 1e-9, both above 1e-9, of "
        "log(1 + exp(-(z_s,k - z_s,l))). Only the order counts, so it is not 0 at equality. No temperature; no pair, "
        "no value. Several teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.logistic_ranking\"\nweight = 1.0\nparams = { top_k = 10 }\n");
    RankedPairs::describe(s);
  }

  LogisticRanking(const Params& p, const Ports& ports, Builder&) : logits_(p, ports), top_k_(p.integer("top_k")) {}

  Tensor compute(const Call& c) override {
    constexpr double kEps = 1e-9;
    const LogitPair z = logits_.pair(c);
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher)) {
      const RankingByRows ranking{"kdhost.logistic_ranking", kEps, false};
      return z.student.dtype() == Dtype::f32 ? ranking.value<float>(z, top_k_) : ranking.value<double>(z, top_k_);
    }
    const RankedPairs pairs(z, top_k_, kEps);
    return pairs.mean(softplus(-RankedPairs::differences(z.student.gather(1, pairs.index))), kEps);
  }

 private:
  LogitSource logits_;
  std::int64_t top_k_;
};

}  // namespace kdhost::plugins
