// SPDX-License-Identifier: MIT
//
// kdhost.att_mse: attention maps by their squares.        TinyBERT, arXiv 1909.10351; TextBrewer, arXiv 2002.12620
//
//   mean of (a_s - a_t)^2,   heads = "each" (default): head by head; "sum": of the sum over heads
//
// With a padding mask a mean over the pairs of positions that count; without one, padded scores are taken as 0.
// Entry in the form of the project's specification of losses; that has none of its own. Golden values are our own
// computation of the published formula.
#pragma once
#include "../element_sums.hpp"
#include "attention_maps.hpp"

namespace kdhost::plugins {

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
        sum.add(laid_out_alike(p.student, p.teacher)
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

}  // namespace kdhost::plugins
