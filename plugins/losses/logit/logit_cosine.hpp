// SPDX-License-Identifier: MIT
//
// kdhost.logit_cosine: direction of the logits.                                            Liger-Kernel (beta = 1)
//
//   L = mean_i (1 - cos(z_s,i, z_t,i))
//
// A row of zeros has cosine 0 and gets no gradient.
#pragma once
#include "logit_source.hpp"
#include "value_rows.hpp"

namespace kdhost::plugins {

struct LogitCosine final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.logit_cosine").version("1.0.0").summary("cosine distance of the logits, whatever their size");
    s.source("Liger-Kernel's cosine similarity loss; default = that with beta = 1, divided by the number of samples");
    s.details(
        "mean_i (1 - cos(z_s,i, z_t,i)) on the logits themselves: their size and so the student's confidence are "
        "free. A row of zeros counts as cosine 0 and gets no gradient. Several teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.logit_cosine\"\nweight = 1.0\n");
    LogitSource::describe(s);
  }

  LogitCosine(const Params& p, const Ports& ports, Builder&) : logits_(p, ports) {}

  Tensor compute(const Call& c) override {
    const LogitPair z = logits_.pair(c);
    const double per_sample = 1.0 / static_cast<double>(z.student.size(0));
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher))
      return sum_of_value_rows("kdhost.logit_cosine", z, per_sample, {cosine_rows, cosine_rows});
    const auto unit = [](const Tensor& x) {
      const Tensor norm = vector_norm(x, 2, 1, true);
      return x / where(gt(norm, 0), norm, full_like(norm, std::numeric_limits<double>::infinity()));
    };
    return (1.0 - (unit(z.student) * unit(z.teacher)).sum({1})).sum() * per_sample;
  }

 private:
  LogitSource logits_;
};

}  // namespace kdhost::plugins
