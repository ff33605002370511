// SPDX-License-Identifier: MIT
//
// kdhost.logit_mse: regression on the teacher's logits.                        Ba & Caruana, NIPS 2014, arXiv 1312.6184
//
//   L = mean over N*C of ((z_s - z_t) / T)^2
//
// No T^2 factor; the scaling by T is TextBrewer's kd_mse, T = 1 the paper.
#pragma once
#include "../loss_inputs.hpp"

namespace kdhost::plugins {

struct LogitMse final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.logit_mse").version("1.0.0").summary("mean squared difference of the logits");
    s.source(
        "Ba & Caruana, Do Deep Nets Really Need to be Deep?, NIPS 2014, arXiv 1312.6184; scaling as TextBrewer's "
        "kd_mse");
    s.details("mean over N*C of ((z_s - z_t) / T)^2; no T^2 factor.");
    s.recipe("[[loss]]\nuse = \"kdhost.logit_mse\"\nweight = 1.0\n");
    s.number("temperature", 1.0).above(0.0).doc("divides both logits").schedulable();
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
  }

  Tensor compute(const Call& c) override {
    const LogitPair z = logit_pair(c);
    const double temperature = c.number("temperature");
    return mse_loss(z.student / temperature, z.teacher / temperature);
  }
};

}  // namespace kdhost::plugins
