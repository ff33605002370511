// SPDX-License-Identifier: MIT
//
// kdhost.patient: the first position's state.                   BERT-PKD, Sun et al., EMNLP 2019, arXiv 1908.09355
//
//   h = state of position 0 scaled to unit L2; mean over samples of the sum over the width of (h_s - h_t)^2, over taps
//
// Taps [N, length, width]. A is a trained linear layer where widths differ (adaptor = "auto"). The first position
// is never padding.
#pragma once
#include "../squared_difference.hpp"
#include "sequence_inputs.hpp"

namespace kdhost::plugins {

struct Patient final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.patient")
        .version("1.0.0")
        .summary("patient distillation: the first position's state, scaled to length 1");
    s.source(
        "Sun, Cheng, Gan, Liu, Patient Knowledge Distillation for BERT, EMNLP 2019, arXiv 1908.09355; golden value "
        "our own computation of the formula");
    s.details(
        "h = state of position 0 scaled to unit L2; mean over samples of the sum over the width of (h_s - h_t)^2, "
        "summed over taps [N, length, width]. Where widths differ the student's goes through a linear layer (adaptor = "
        "\"auto\").\n"
        "Trained: linear layers where widths differ.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.patient\"\nweight = 100.0\n"
        "inputs = { student = [\"layer1\", \"layer2\"], teacher = [\"layer2\", \"layer4\"] }\n");
    HiddenStates::describe(s);
  }
  Patient(const Params& p, const Ports& ports, Builder& b) : states_(p, ports, b) {}

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (const TapPair& p : states_.taps(c)) {
      const auto first = [](const Tensor& h) { return normalize(h.select(1, 0)); };
      sum.add(squared_difference(first(p.student), first(p.teacher), Reduction::sum) /
              static_cast<double>(p.student.size(0)));
    }
    return sum.value();
  }

 private:
  HiddenStates states_;
};

}  // namespace kdhost::plugins
