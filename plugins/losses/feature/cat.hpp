// SPDX-License-Identifier: MIT
//
// kdhost.cat: class attention transfer, where the network looks for each class.                  Guo et al., CVPR 2023
//
//   class activation maps [N, classes, h, w], adaptive average pool to r x r, each map scaled to unit L2 over its
//   positions;   L = sum over taps of the mean squared difference
//
// Default = the authors' code (CAT-KD). It needs a network whose classifier is a 1x1 convolution before the pooling, so
// that its output before pooling is a map for each class.
#pragma once
#include "../loss_inputs.hpp"
#include "adaptors.hpp"

namespace kdhost::plugins {

struct ClassAttention final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.cat").version("1.0.0").summary("class attention transfer: the activation map of each class");
    s.source(
        "Guo, Yan, Li, Lu, Class Attention Transfer Based Knowledge Distillation, CVPR 2023; default = authors' code");
    s.details(
        "Class activation maps [N, classes, h, w] are average-pooled to r x r and scaled to unit L2 over their "
        "positions; mean squared difference, summed over taps. Sizes may differ, the number of classes not. Needs a "
        "classifier that is a 1x1 convolution before the pooling.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.cat\"\nweight = 400.0\n"
        "inputs = { student = [\"class_maps\"], teacher = [\"class_maps\"] }\n");
    s.integer("resolution", 2).at_least(1).doc("r: positions a side that are compared");
    s.inputs("student.features").doc("class activation maps [N, classes, h, w]");
    s.inputs("teacher.features").doc("as many, in the same order, with the same classes");
  }

  explicit ClassAttention(const Params& p) : resolution_(p.integer("resolution")) {}

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (const TapPair& p : tap_pairs(c)) {
      need_maps(p);
      need_equal_channels(p, ", one map for each class");
      sum.add(mse_loss(pooled(p.student), pooled(p.teacher)));
    }
    return sum.value();
  }

 private:
  Tensor pooled(const Tensor& f) const { return normalize(averaged_to(f, resolution_, resolution_).flatten(2), 2, 2); }

  std::int64_t resolution_;
};

}  // namespace kdhost::plugins
