// SPDX-License-Identifier: MIT
//
// kdhost.pkd: Pearson correlation of feature maps, made for detectors.      Cao et al., NeurIPS 2022, arXiv 2207.02039
//
//   each channel standardised over N*H*W: (f - mean) / (std + 1e-6), std with divisor n - 1
//   L = sum over taps of half the mean squared difference
//
// Half the mean squared difference of standardised numbers is one minus their correlation. Default = MMRazor. If sizes
// differ the student's map is resized bilinearly (corners not aligned) to the teacher's. A constant channel becomes 0.
#pragma once
#include "../loss_inputs.hpp"
#include "adaptors.hpp"

namespace kdhost::plugins {

struct PearsonMaps final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.pkd").version("1.0.0").summary("Pearson correlation of feature maps, channel by channel");
    s.source(
        "Cao et al., PKD: General Distillation Framework for Object Detectors via Pearson Correlation Coefficient, "
        "NeurIPS 2022, arXiv 2207.02039; default = MMRazor");
    s.details(
        "Each channel is standardised over N*H*W: (f - mean) / (std + 1e-6), std with divisor n - 1; half the mean "
        "squared difference, summed over taps. If sizes differ the student's map is resized bilinearly (corners not "
        "aligned) to the teacher's. Channels must be equal.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.pkd\"\nweight = 6.0\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order, with the same channels");
  }

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (TapPair& p : tap_pairs(c)) {
      need_maps(p);
      need_equal_channels(p, ": choose other taps");
      const std::int64_t h = p.teacher.size(2), w = p.teacher.size(3);
      if (p.student.size(2) != h || p.student.size(3) != w) p.student = upsample_bilinear2d(p.student, {h, w}, false);
      if (p.student.size(0) * h * w < 2)
        refuse_pair(p, "two or more values a channel (samples times positions): one has no standard deviation");
      sum.add(mse_loss(standardised(p.student), standardised(p.teacher)) * 0.5);
    }
    return sum.value();
  }

 private:
  static Tensor standardised(const Tensor& f) {
    const auto moments = std_mean(f, {0, 2, 3}, 1, true);
    return (f - moments.mean) / (moments.std + 1e-6);
  }
};

}  // namespace kdhost::plugins
