// SPDX-License-Identifier: MIT
//
// kdhost.hid_mse: hidden states by their squares.                       Romero et al., arXiv 1412.6550, for sequences
//
//   mean((A(h_s) - h_t)^2) over the positions that the padding mask keeps, summed over taps
//
// Taps [N, length, width]. A is a trained linear layer where widths differ (adaptor = "auto").
// Equal to TextBrewer's hid_mse without a mask.
#pragma once
#include "../squared_difference.hpp"
#include "sequence_inputs.hpp"

namespace kdhost::plugins {

struct HiddenMse final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.hid_mse").version("1.0.0").summary("mean squared difference of hidden states, padding left out");
    s.source("Romero et al., arXiv 1412.6550, for sequences; equal to TextBrewer's hid_mse");
    s.details(
        "mean((A(h_s) - h_t)^2) over the positions that the mask keeps, summed over taps [N, length, width]. A is a "
        "linear layer where widths differ (adaptor = \"auto\").\n"
        "Trained: linear layers where widths differ.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.hid_mse\"\n"
        "inputs = { student = [\"layer2\"], teacher = [\"layer6\"], \"batch.mask\" = \"mask\" }\n");
    HiddenStates::describe(s);
    describe_mask(s);
  }
  HiddenMse(const Params& p, const Ports& ports, Builder& b) : states_(p, ports, b) {}

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (const TapPair& p : states_.taps(c)) {
      const Tensor mask = padding_mask(c, p.student.size(0), p.student.size(1), p.student);
      sum.add(mask ? mean_of_kept(square(p.student - p.teacher).mean({2}), mask)
                   : squared_difference(p.student, p.teacher));
    }
    return sum.value();
  }

 private:
  HiddenStates states_;
};

}  // namespace kdhost::plugins
