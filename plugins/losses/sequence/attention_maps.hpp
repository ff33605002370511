// SPDX-License-Identifier: MIT
//
// kdhost.att_mse and kdhost.att_ce: attention maps of transformers, taps [N, heads, length, length] or, heads already
// joined, [N, length, length].                                          TextBrewer, Yang et al., ACL 2020, arXiv
// 2002.12620
//
//   att_mse  mean of (a_s - a_t)^2                     heads = "each" (default): head by head; "sum": of the sum over
//   heads att_ce   mean over queries of -sum_keys softmax(a_t) log softmax(a_s), a being scores before their softmax
//                                                      heads = "each" (default); "mean": of the mean over heads
//
// With a padding mask [N, length] both leave out padded queries and keys and are means over the pairs (att_ce: the
// queries) that count. Without one, scores at most -0.001 count as padding, as in TextBrewer: models add -10000 there.
// att_mse takes them as 0, att_ce gives such keys no weight.
// Entry in the form of the project's specification of losses; that has none of its own. Golden values are our own
// computation of the published formula.
#pragma once
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
    s.source("TextBrewer (att_mse, att_mse_sum), Yang et al., ACL 2020, arXiv 2002.12620; TinyBERT, arXiv 1909.10351");
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
    Tensor sum;
    for (const TapPair& p : maps_.taps(c)) {
      const Tensor mask = padding_mask(c, p.student.size(0), p.student.size(-1), p.student);
      if (mask) {
        const Tensor pairs = mask.unsqueeze(1).unsqueeze(3) * mask.unsqueeze(1).unsqueeze(2);
        const Tensor count = clamp_min(pairs.sum() * static_cast<double>(p.student.size(1)), 1.0);
        accumulate(sum, (square(p.student - p.teacher) * pairs).sum() / count);
      } else {
        accumulate(sum, mse_loss(without_padding(p.student), without_padding(p.teacher)));
      }
    }
    return sum;
  }

 private:
  static Tensor without_padding(const Tensor& a) { return masked_fill(a, le(a, kPaddedScore), 0.0); }
  AttentionMaps maps_;
};

struct AttentionCe final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.att_ce").version("1.0.0").summary("cross-entropy of attention distributions, padding left out");
    s.source("TextBrewer (att_ce, att_ce_mean), Yang et al., ACL 2020, arXiv 2002.12620");
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
    Tensor sum;
    for (const TapPair& p : maps_.taps(c)) {
      const Tensor mask = padding_mask(c, p.student.size(0), p.student.size(-1), p.student);
      const Tensor q = softmax(p.teacher, -1);
      const Tensor log_p = log_softmax(p.student, -1);
      if (mask) {
        const Tensor weights = q * mask.unsqueeze(1).unsqueeze(2);
        accumulate(sum, mean_of_kept(-(weights * log_p).sum({-1}).mean({1}), mask));
      } else {
        const Tensor weights = where(le(p.teacher, kPaddedScore), zeros_like(q), q);
        accumulate(sum, -(weights * log_p).sum({-1}).mean());
      }
    }
    return sum;
  }

 private:
  AttentionMaps maps_;
};

}  // namespace kdhost::plugins
