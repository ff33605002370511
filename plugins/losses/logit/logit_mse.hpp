// SPDX-License-Identifier: MIT
//
// kdhost.logit_mse: regression on the teacher's logits.                        Ba & Caruana, NIPS 2014, arXiv 1312.6184
//
//   L = mean over N*C of ((z_s - z_t) / T)^2
//
// No T^2 factor; the scaling by T is TextBrewer's kd_mse, T = 1 the paper.
#pragma once
#include "logit_source.hpp"
#include "value_rows.hpp"

namespace kdhost::plugins {

struct LogitMse final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.logit_mse").version("1.1.0").summary("mean squared difference of the logits");
    s.source(
        "Ba & Caruana, Do Deep Nets Really Need to be Deep?, NIPS 2014, arXiv 1312.6184; scaling as TextBrewer's "
        "kd_mse");
    s.details("mean over N*C of ((z_s - z_t) / T)^2; no T^2 factor. Several teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.logit_mse\"\nweight = 1.0\n");
    s.number("temperature", 1.0).above(0.0).doc("divides both logits").schedulable();
    LogitSource::describe(s);
  }

  LogitMse(const Params& p, const Ports& ports, Builder&) : logits_(p, ports) {}

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    const LogitPair z = logits_.pair(c, temperature);
    const double factor = 1.0 / (temperature * temperature * static_cast<double>(z.student.numel()));
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher))
      return sum_of_value_rows("kdhost.logit_mse", z, factor, {square_rows, square_rows});
    return square(z.student - z.teacher).sum() * factor;
  }

 private:
  LogitSource logits_;
};

}  // namespace kdhost::plugins
