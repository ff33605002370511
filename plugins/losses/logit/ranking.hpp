// SPDX-License-Identifier: MIT
//
// kdhost.hinge_ranking, kdhost.logistic_ranking: the order of the teacher's most probable classes.
//   C. Goddard, DistillKit (losses "hinge" and "logistic_ranking")
//
//   K     = the top_k most probable classes of the teacher, p = softmax(z)
//   pairs = (k, l) in K with p_t,k > p_t,l + eps and both above eps, over all samples of the batch
//   hinge     mean over pairs of max(0, margin - (p_s,k - p_s,l)),   eps 1e-8
//   logistic  mean over pairs of log(1 + exp(-(z_s,k - z_s,l))),     eps 1e-9
//
// The published code divides by the number of pairs + eps, and takes the margin p_t,k - p_t,l where none is given; so
// do these. No temperature. A batch without any pair has value 0. Pairs need K^2 numbers a sample.
#pragma once
#include "logit_source.hpp"
#include "top_rows.hpp"

namespace kdhost::plugins {

/// The teacher's top classes of one batch, and which pairs of them are ordered.
struct RankedPairs {
  Tensor index;    ///< [N, K] classes
  Tensor p_t;      ///< [N, K] the teacher's probabilities
  Tensor ordered;  ///< [N, K, K] 1 where the first of two is preferred, in the logits' dtype

  RankedPairs(const LogitPair& z, std::int64_t top_k, double eps) {
    const NoGrad off;
    ValuesIndices top = topk(softmax(z.teacher, 1), std::min(top_k, z.classes()), 1);
    const Tensor first = top.values.unsqueeze(2), second = top.values.unsqueeze(1);
    ordered = (gt(first, second + eps) & gt(second, eps)).to(z.student.dtype());
    index = std::move(top.indices);
    p_t = std::move(top.values);
  }
  /// [N, K, K] x_k - x_l.
  static Tensor differences(const Tensor& x) { return x.unsqueeze(2) - x.unsqueeze(1); }
  Tensor mean(const Tensor& terms, double eps) const { return (terms * ordered).sum() / (ordered.sum() + eps); }

  static void describe(Spec& s) {
    s.integer("top_k", 50).at_least(2).doc("how many of the teacher's most probable classes are ranked");
    LogitSource::describe(s);
  }
};

/// Both losses on the CPU, a row at a time.
struct RankingByRows {
  std::string_view name;
  double eps;
  bool hinge;
  bool own_margin = false;
  double margin = 0;

  template <class T>
  Tensor value(const LogitPair& z, std::int64_t top_k) const {
    const std::int64_t n = z.student.size(0), top = std::min(top_k, z.classes());
    const TopClasses<T> found(z.teacher, top, 1.0, false);
    RankRows<T> rows{};
    rows.student = z.student.data<T>();
    rows.index = found.index.data();
    rows.probability = found.probability.data();
    rows.classes = z.classes();
    rows.top = top;
    rows.eps = static_cast<T>(eps);
    rows.hinge = hinge;
    rows.own_margin = own_margin;
    rows.margin = static_cast<T>(margin);
    double pairs = 0;
    for (std::int64_t row = 0; row < n; ++row) pairs += count_pairs(rows, row);
    const double factor = 1.0 / (pairs + eps);
    rows.gradient_scale = static_cast<T>(factor);
    return sum_of_rows<T>(name, z.student, factor, rows,
                          [](const RankRows<T>& k, std::int64_t begin, std::int64_t end) { rank_rows(k, begin, end); });
  }
};

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
