// SPDX-License-Identifier: MIT
//
// kdhost.hid_cosine: hidden states by their direction.                              DistilBERT, arXiv 1910.01108
//
//   mean of 1 - cos(A(h_s), h_t) over the positions that the padding mask keeps, summed over taps
//
// Taps [N, length, width]. A is a trained linear layer where widths differ (adaptor = "auto").
#pragma once
#include "sequence_inputs.hpp"

namespace kdhost::plugins {

struct HiddenCosine final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.hid_cosine").version("1.0.0").summary("1 - cosine of hidden states, padding left out");
    s.source("Sanh et al., DistilBERT, arXiv 1910.01108; golden value our own computation of the formula");
    s.details(
        "mean of 1 - cos(A(h_s), h_t) over the positions that the mask keeps, summed over taps [N, length, width]; a "
        "zero vector has cosine 0. A is a linear layer where widths differ (adaptor = \"auto\").\n"
        "Trained: linear layers where widths differ.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.hid_cosine\"\n"
        "inputs = { student = [\"layer6\"], teacher = [\"layer12\"], \"batch.mask\" = \"mask\" }\n");
    HiddenStates::describe(s);
    describe_mask(s);
  }
  HiddenCosine(const Params& p, const Ports& ports, Builder& b) : states_(p, ports, b) {}

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (const TapPair& p : states_.taps(c)) {
      const Tensor mask = padding_mask(c, p.student.size(0), p.student.size(1), p.student);
      const Tensor cosine = (p.student * p.teacher).sum({2}) * inverse_length(p.student) * inverse_length(p.teacher);
      sum.add(mean_of_kept(1.0 - cosine, mask));
    }
    return sum.value();
  }

 private:
  /// 1 / |h|; 0 for a zero vector, which then has cosine 0 and no gradient.
  static Tensor inverse_length(const Tensor& h) {
    const Tensor length = vector_norm(h, 2, 2);
    return where(le(length, 0.0), zeros_like(length), reciprocal(clamp_min(length, 1e-12)));
  }
  HiddenStates states_;
};

}  // namespace kdhost::plugins
