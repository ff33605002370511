// SPDX-License-Identifier: MIT
//
// kdhost.hid_mse, kdhost.hid_cosine, kdhost.patient: hidden states of transformers, taps [N, length, width].
//
//   hid_mse     mean((A(h_s) - h_t)^2)
//               TextBrewer; kdhost.hint for sequences
//   hid_cosine  mean over positions of 1 - cos(A(h_s), h_t)
//               DistilBERT, Sanh et al., arXiv 1910.01108
//   patient     position 0 scaled to unit L2; sum over the width of squared differences, mean over N
//               Sun et al. (patient knowledge distillation), EMNLP 2019, arXiv 1908.09355
//
// Sums over taps. With a padding mask [N, length] the first two are means over the entries that count; position 0 of
// `patient` is never padding. A is a trained linear layer where widths differ (adaptor = "auto").
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
