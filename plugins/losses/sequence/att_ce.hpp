// SPDX-License-Identifier: MIT
//
// kdhost.att_ce: attention maps by their cross-entropy.                   TextBrewer, Yang et al., arXiv 2002.12620
//
//   mean over queries of -sum_keys softmax(a_t) log softmax(a_s), a being scores before their softmax
//   heads = "each" (default); "mean": of the mean over heads
//
// With a padding mask over the queries and keys that count; without one, padded keys get no weight.
// Entry in the form of the project's specification of losses; that has none of its own. Golden values are our own
// computation of the published formula.
#pragma once
#include <algorithm>

#include "../element_sums.hpp"
#include "attention_ce_rows.hpp"
#include "attention_maps.hpp"

namespace kdhost::plugins {

struct AttentionCe final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.att_ce").version("1.0.0").summary("cross-entropy of attention distributions, padding left out");
    s.source("Yang et al., TextBrewer, ACL 2020, arXiv 2002.12620; equal to TextBrewer's att_ce and att_ce_mean");
    s.details(
        "mean over the queries that the mask keeps of -sum_keys softmax(a_t) log softmax(a_s) over the keys that it "
        "keeps, a being scores before their softmax; without a mask, keys whose teacher score is at most -0.001 get no "
        "weight. heads = \"mean\" joins the heads first. The values in the tests are our own computation of the "
        "published formula.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.att_ce\"\n"
        "inputs = { student = [\"attention2\"], teacher = [\"attention6\"], \"batch.mask\" = \"mask\" }\n");
    AttentionMaps::describe(s, "mean");
  }
  explicit AttentionCe(const Params& p) : maps_(p) {}

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (const TapPair& p : maps_.taps(c)) {
      const Tensor mask = padding_mask(c, p.student.size(0), p.student.size(-1), p.student);
      if (laid_out_alike(p.student, p.teacher) && p.student.is_contiguous())
        sum.add(p.student.dtype() == Dtype::f32 ? by_rows<float>(p, mask) : by_rows<double>(p, mask));
      else
        sum.add(composed(p, mask));
    }
    return sum.value();
  }

 private:
  static Tensor composed(const TapPair& p, const Tensor& mask) {
    const Tensor q = softmax(p.teacher, -1), log_p = log_softmax(p.student, -1);
    if (mask) return mean_of_kept(-(q * mask.unsqueeze(1).unsqueeze(2) * log_p).sum({-1}).mean({1}), mask);
    return -(masked_fill(q, le(p.teacher, kPaddedScore), 0.0) * log_p).sum({-1}).mean();
  }

  template <class T>
  static Tensor by_rows(const TapPair& p, const Tensor& mask) {
    const std::int64_t keys = p.student.size(-1), queries = p.student.numel() / keys, heads = p.student.size(1);
    const double kept =
        mask ? std::max(1.0, mask.sum().item()) * static_cast<double>(heads) : static_cast<double>(queries);
    const Tensor weights = mask ? mask.contiguous() : Tensor();
    const AttentionCeRows<T> rows{
        p.student.data<T>(), p.teacher.data<T>(),          mask ? weights.data<T>() : nullptr, keys,
        heads * keys,        static_cast<T>(kPaddedScore), static_cast<T>(1.0 / kept)};
    return sum_of_rows<T>(
        "kdhost.att_ce", p.student.reshape({queries, keys}), 1.0 / kept, rows,
        [](const AttentionCeRows<T>& k, std::int64_t begin, std::int64_t end) { attention_ce_rows(k, begin, end); });
  }

  AttentionMaps maps_;
};

}  // namespace kdhost::plugins
