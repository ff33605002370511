// SPDX-License-Identifier: MIT
//
// kdhost.att_mse and kdhost.att_ce: attention maps of transformers, taps [N, heads, length, length] or, heads already
// joined, [N, length, length]. TextBrewer, Yang et al., ACL 2020, arXiv 2002.12620
//
//   att_mse  mean of (a_s - a_t)^2
//            heads = "each" (default): head by head; "sum": of the sum over heads
//   att_ce   mean over queries of -sum_keys softmax(a_t) log softmax(a_s), a being scores before their softmax
//            heads = "each" (default); "mean": of the mean over heads
//
// With a padding mask [N, length] both leave out padded queries and keys and are means over the pairs (att_ce: the
// queries) that count. Without one, scores at most -0.001 count as padding, as in TextBrewer: models add -10000 there.
// att_mse takes them as 0, att_ce gives such keys no weight.
// Entry in the form of the project's specification of losses; that has none of its own. Golden values are our own
// computation of the published formula.
#pragma once
#include <algorithm>

#include "../element_sums.hpp"
#include "attention_ce_rows.hpp"
#include "sequence_inputs.hpp"

namespace kdhost::plugins {

/// Maps of both sides [N, heads, length, length]; joined over heads where `join` says how.
class AttentionMaps {
 public:
  static void describe(Spec& s, std::string_view joined) {
    s.choice("heads", {"each", joined}).doc("head by head (as many on both sides), or joined first");
    s.inputs("student.features").doc("attention scores [N, heads, length, length], or [N, length, length]");
    s.inputs("teacher.features").doc("as many, in the same order, of the same length");
    describe_mask(s);
  }

  explicit AttentionMaps(const Params& p) : heads_(p.text("heads")) {}

  std::vector<TapPair> taps(const Call& c) const {
    std::vector<TapPair> pairs = tap_pairs(c);
    for (TapPair& p : pairs) {
      for (const Tensor* x : {&p.student, &p.teacher})
        if ((x->dim() != 3 && x->dim() != 4) || x->size(-1) != p.student.size(-1) || x->size(-2) != x->size(-1))
          refuse_pair(p, "attention maps [N, heads, length, length] or [N, length, length] of the same length");
      p.student = joined(p.student);
      p.teacher = joined(p.teacher);
      if (p.student.size(1) != p.teacher.size(1))
        refuse_pair(p, "as many heads on both sides; join them with the parameter 'heads'");
    }
    return pairs;
  }

 private:
  Tensor joined(const Tensor& x) const {
    if (x.dim() == 3) return x.unsqueeze(1);
    return heads_ == "each" ? x : heads_ == "sum" ? x.sum({1}, true) : x.mean({1}, true);
  }
  std::string heads_;
};

constexpr double kPaddedScore = -1e-3;

struct AttentionMse final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.att_mse").version("1.0.0").summary("mean squared difference of attention maps, padding left out");
    s.source(
        "Jiao et al., TinyBERT, arXiv 1909.10351; equal to TextBrewer's att_mse and att_mse_sum, Yang et al., ACL "
        "2020, arXiv 2002.12620");
    s.details(
        "mean of (a_s - a_t)^2 over the pairs of positions that the mask keeps; without a mask, scores at most -0.001 "
        "count as padding and are taken as 0. heads = \"sum\" compares the sum over heads, whose number may differ "
        "then. The values in the tests are our own computation of the published formula.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.att_mse\"\n"
        "inputs = { student = [\"attention2\"], teacher = [\"attention6\"], \"batch.mask\" = \"mask\" }\n");
    AttentionMaps::describe(s, "sum");
  }
  explicit AttentionMse(const Params& p) : maps_(p) {}

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (const TapPair& p : maps_.taps(c)) {
      const Tensor mask = padding_mask(c, p.student.size(0), p.student.size(-1), p.student);
      if (mask) {
        const Tensor pairs = mask.unsqueeze(1).unsqueeze(3) * mask.unsqueeze(1).unsqueeze(2);
        const Tensor count = clamp_min(pairs.sum() * static_cast<double>(p.student.size(1)), 1.0);
        sum.add((square(p.student - p.teacher) * pairs).sum() / count);
      } else {
        sum.add(fits_element_sum(p.student, p.teacher)
                    ? element_sum("kdhost.att_mse", ElementTerm::kept_squares, p.student, p.teacher, kPaddedScore,
                                  1.0 / static_cast<double>(p.student.numel()))
                    : mse_loss(without_padding(p.student), without_padding(p.teacher)));
      }
    }
    return sum.value();
  }

 private:
  static Tensor without_padding(const Tensor& a) { return masked_fill(a, le(a, kPaddedScore), 0.0); }
  AttentionMaps maps_;
};

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
      if (fits_element_sum(p.student, p.teacher))
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
