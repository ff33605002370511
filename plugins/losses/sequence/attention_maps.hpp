// SPDX-License-Identifier: MIT
//
// What kdhost.att_mse and kdhost.att_ce share: attention maps of transformers, taps [N, heads, length, length] or,
// heads already joined, [N, length, length].
//
// With a padding mask [N, length] both leave out padded queries and keys. Without one, scores at most -0.001 count as
// padding, as in TextBrewer: models add -10000 there.
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

}  // namespace kdhost::plugins
