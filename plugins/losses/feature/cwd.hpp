// SPDX-License-Identifier: MIT
//
// kdhost.cwd: channel-wise distillation, where each channel is active.        Shu et al., ICCV 2021, arXiv 2011.13256
//
//   p = softmax over H*W of f / T, per sample and channel
//   L = sum over taps of T^2 sum p_t (log p_t - log p_s) / (N C)
//
// Default = MMRazor. Channels and sizes must be equal. A constant channel is the uniform distribution.
#pragma once
#include "../loss_inputs.hpp"
#include "adaptors.hpp"

namespace kdhost::plugins {

struct ChannelWise final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.cwd").version("1.0.0").summary("channel-wise divergence: each channel's map as a distribution");
    s.source(
        "Shu, Liu, Gao, Yan, Shen, Channel-wise Knowledge Distillation for Dense Prediction, ICCV 2021, arXiv "
        "2011.13256; default = MMRazor");
    s.details(
        "p = softmax over the positions of f / T per sample and channel; T^2 sum p_t (log p_t - log p_s) / (N C), "
        "summed over taps. Channels and sizes must be equal. Segmentation uses temperature = 4.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.cwd\"\nweight = 3.0\nparams = { temperature = 4.0 }\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    s.number("temperature", 1.0).above(0.0).doc("softens the maps").schedulable();
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order and of the same shapes");
  }

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    TapSum sum(c);
    for (const TapPair& p : tap_pairs(c)) {
      need_maps(p);
      need_equal_shapes(p, ": choose other taps");
      const Tensor log_s = softened(p.student, temperature);
      const Tensor log_t = softened(p.teacher, temperature);
      const double share = temperature * temperature / static_cast<double>(p.student.size(0) * p.student.size(1));
      sum.add((exp(log_t) * (log_t - log_s)).sum() * share);
    }
    return sum.value();
  }

 private:
  static Tensor softened(const Tensor& f, double temperature) {
    const Tensor rows = f.flatten(2);
    return log_softmax(temperature == 1.0 ? rows : rows / temperature, 2);
  }
};

}  // namespace kdhost::plugins
