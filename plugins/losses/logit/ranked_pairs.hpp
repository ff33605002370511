// SPDX-License-Identifier: MIT
//
// What kdhost.hinge_ranking and kdhost.logistic_ranking share: the pairs of the teacher's most probable classes.
//
//   K     = the top_k most probable classes of the teacher, p = softmax(z)
//   pairs = (k, l) in K with p_t,k > p_t,l + eps and both above eps, over all samples of the batch
//
// No temperature. A batch without any pair has value 0. Pairs need K^2 numbers a sample.
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

}  // namespace kdhost::plugins
