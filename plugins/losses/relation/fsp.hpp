// SPDX-License-Identifier: MIT
//
// kdhost.fsp: flow of the solution procedure, what happens between two layers.            Yim, Joo, Bae, Kim, CVPR 2017
//
//   G_n,ij = mean_hw a_n,i b_n,j  for consecutive taps a, b of one network, the larger map pooled to the smaller
//
// Variants  "repdistiller" (default): average pooling; sum over pairs of mean((G_s - G_t)^2).
//           "torchdistill": max pooling; (1/N) sum over n and j of the L2 norm of (G_s - G_t)_n,.,j over i;
//           hundreds of times larger.
//           "sequence" (TextBrewer): taps [N, length, width], G = a^T b / length, mean squared difference.
// Recipe    a first stage of this loss alone, weight 1: the 50 in RepDistiller's script does not reach its first stage.
// Channels must be equal on both sides, spatial sizes need not be. Two taps a side at least.
#pragma once
#include "../loss_inputs.hpp"

namespace kdhost::plugins {

struct Fsp final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.fsp").version("1.0.0").summary("flow between layers: products of the channels of consecutive taps");
    s.source("Yim, Joo, Bae, Kim, A Gift from Knowledge Distillation, CVPR 2017; default = RepDistiller");
    s.details(
        "G_n,ij = mean_hw a_n,i b_n,j for consecutive taps a, b of one network; sum over the pairs of mean((G_s - "
        "G_t)^2). variant = "
        "\"torchdistill\": max pooling, and the L2 norm of each column of the difference, summed and divided by N. "
        "variant = "
        "\"sequence\": taps [N, length, width], G = a^T b / length. Channels must agree on both sides; two or more "
        "taps a side.");
    s.recipe(
        "[[stage]]\nname = \"flow\"\nepochs = 30\n[[stage.loss]]\nuse = \"kdhost.fsp\"\nweight = 1.0\n"
        "inputs = { student = [\"stem\", \"layer1\", \"layer2\", \"layer3\"], teacher = [\"stem\", \"layer1\", "
        "\"layer2\", \"layer3\"] }\n\n"
        "[[stage]]\nname = \"labels\"\nepochs = 240\n[[stage.loss]]\nuse = \"kdhost.cross_entropy\"\n");
    s.choice("variant", {"repdistiller", "torchdistill", "sequence"}).doc("whose definition");
    s.inputs("student.features")
        .doc("maps [N, C, H, W] (sequence: [N, length, width]), two or more, in the order of the layers");
    s.inputs("teacher.features").doc("as many, with the same channels");
  }

  explicit Fsp(const Params& p)
      : sequence_(p.text("variant") == "sequence"), column_norms_(p.text("variant") == "torchdistill") {}

  Tensor compute(const Call& c) override {
    const std::vector<TapPair> taps = tap_pairs(c);
    if (taps.size() < 2)
      throw std::invalid_argument(
          "'student.features' and 'teacher.features' have one tap each, expected two or more: the loss "
          "compares what happens between consecutive taps");
    for (const TapPair& p : taps) check(p);
    TapSum sum(c);
    for (std::size_t i = 0; i + 1 < taps.size(); ++i) {
      const Tensor difference = flow(taps[i].student, taps[i + 1].student) - flow(taps[i].teacher, taps[i + 1].teacher);
      sum.add(column_norms_ ? vector_norm(difference, 2, 1).sum() / static_cast<double>(difference.size(0))
                            : square(difference).mean());
    }
    return sum.value();
  }

 private:
  void check(const TapPair& p) const {
    if (sequence_) {
      if (p.student.dim() != 3 || p.teacher.dim() != 3 || p.student.size(2) != p.teacher.size(2))
        refuse_pair(p, "sequences [N, length, width] of the same width");
    } else {
      need_maps(p);
      if (p.student.size(1) != p.teacher.size(1)) refuse_pair(p, "the same number of channels");
    }
  }

  /// [N, channels of a, channels of b]
  Tensor flow(Tensor a, Tensor b) const {
    if (sequence_) {
      if (a.size(1) != b.size(1))
        throw std::invalid_argument("consecutive taps are " + to_string(a.shape()) + " and " + to_string(b.shape()) +
                                    ", expected sequences of the same length");
      return bmm(a.transpose(1, 2), b) / static_cast<double>(a.size(1));
    }
    if (column_norms_) {
      const std::int64_t h = std::min(a.size(2), b.size(2)), w = std::min(a.size(3), b.size(3));
      for (Tensor* x : {&a, &b})
        if (x->size(2) != h || x->size(3) != w) *x = adaptive_max_pool2d(*x, {h, w});
    } else {
      pool_to_smaller(a, b);
    }
    a = a.flatten(2);
    return bmm(a, b.flatten(2).transpose(1, 2)) / static_cast<double>(a.size(2));
  }

  bool sequence_, column_norms_;
};

}  // namespace kdhost::plugins
