// SPDX-License-Identifier: MIT
//
// kdhost.ickd: inter-channel correlation.                                                        Liu et al., ICCV 2021
//
//   per sample G = F F^T [C, C], rows scaled to unit L2;   L = sum over taps of sum((G_s - G_t)^2) / (C N^2)
//
// Variants  "author" (default) = torchdistill's port of the authors' code, one N more than a batch mean.
//           "batch_mean": / (C N).
// Adaptor   conv 3x3 without bias and batch norm, to the teacher's channels. Spatial sizes may differ.
#pragma once
#include "../squared_difference.hpp"
#include "adaptors.hpp"

namespace kdhost::plugins {

struct InterChannel final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.ickd").version("1.0.0").summary("inter-channel correlation: which channels are active alike");
    s.source(
        "Liu et al., Exploring Inter-Channel Correlation for Diversity-Preserved Knowledge Distillation, ICCV 2021; "
        "default = torchdistill's port of the authors' code");
    s.details(
        "Per sample G = F F^T over the channels, rows scaled to unit L2; sum((G_s - G_t)^2) / (C N^2), summed over "
        "taps. variant = \"batch_mean\" divides by C N instead. adaptor = \"auto\" trains a 3x3 convolution with "
        "batch norm on the student. Spatial sizes may differ.\n"
        "Trained: convolutions with batch norm. State: their running statistics.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.ickd\"\nweight = 2.5\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    s.choice("variant", {"author", "batch_mean"}).doc("divided by N twice or once");
    s.choice("adaptor", {"auto", "none"}).doc("auto: a trained 3x3 convolution with batch norm; none: channels agree");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order");
  }

  InterChannel(const Params& p, const Ports& ports, Builder& b) : author_(p.text("variant") == "author") {
    if (p.text("adaptor") == "none") return;
    for (std::size_t i = 0; i < bound_pairs(ports); ++i) {
      const MapChannels ch = map_channels(ports, i);
      embeddings_.push_back(conv_norm(b.scope("embedding" + std::to_string(i)), ch.student, ch.teacher, 3));
    }
  }

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (TapPair& p : tap_pairs(c)) {
      need_maps(p);
      if (p.index < embeddings_.size()) p.student = embeddings_[p.index](c, p.student);
      need_equal_channels(p, "; set adaptor = \"auto\"");
      const auto n = static_cast<double>(p.student.size(0)), channels = static_cast<double>(p.student.size(1));
      const double share = author_ ? channels * n * n : channels * n;
      sum.add(squared_difference(correlation(p.student), correlation(p.teacher), Reduction::sum) / share);
    }
    return sum.value();
  }

 private:
  static Tensor correlation(const Tensor& map) {
    const Tensor f = map.flatten(2);
    return normalize(bmm(f, f.transpose(1, 2)), 2, 2);
  }

  bool author_;
  std::vector<ConvNorm> embeddings_;
};

}  // namespace kdhost::plugins
