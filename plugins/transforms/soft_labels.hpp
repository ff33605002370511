// SPDX-License-Identifier: MIT
//
// What mixup and cutmix share: a number drawn from a Beta distribution, a partner for every sample, and labels as
// probabilities. Both mix a batch as a whole, as their papers do, so all draws come from the stream of the batch's
// first sample.
#pragma once
#include "image_batch.hpp"

namespace kdhost::plugins {

/// A draw from Gamma(shape, 1) as its logarithm, which does not underflow for small shapes (Marsaglia, Tsang 2000).
inline double log_gamma_draw(Stream& s, double shape) {
  const double boosted = shape < 1.0 ? shape + 1.0 : shape;
  const double d = boosted - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = s.normal();
    const double v = 1.0 + c * x;
    const double u = 1.0 - s.uniform();
    if (v <= 0.0) continue;
    const double v3 = v * v * v;
    if (std::log(u) < 0.5 * x * x + d - d * v3 + d * std::log(v3)) {
      const double log_g = std::log(d * v3);
      return shape < 1.0 ? log_g + std::log(1.0 - s.uniform()) / shape : log_g;
    }
  }
}

/// A draw from Beta(alpha, alpha), alpha > 0.
inline double beta_draw(Stream& s, double alpha) {
  const double a = log_gamma_draw(s, alpha), b = log_gamma_draw(s, alpha);
  return 1.0 / (1.0 + std::exp(b - a));
}

/// How far the batch is rolled to give each sample its partner: never 0 unless the batch has one sample.
inline std::int64_t draw_roll(Stream& s, std::int64_t samples) { return samples > 1 ? 1 + s.integer(samples - 1) : 0; }

inline Tensor partners(const Tensor& t, std::int64_t roll_by) { return roll(t, {roll_by}, {0}); }

/// Labels [N] as probabilities [N, classes]; labels that are probabilities stay as they are.
inline Tensor probabilities(const Tensor& label, std::int64_t classes, const Tensor& images) {
  if (label.dim() == 2) return label;
  if (label.dim() != 1)
    throw std::invalid_argument(std::string("'") + kLabelPort + "' is " + to_string(label.shape()) +
                                ", expected class numbers [N] or probabilities [N, C]");
  if (classes <= 0)
    throw std::invalid_argument(
        "the data set has no classes, so its labels cannot be mixed. Leave this transform out.");
  const Dtype dtype = images.dtype() == Dtype::f64 ? Dtype::f64 : Dtype::f32;
  return eq(label.reshape({-1, 1}), arange(classes, label.dtype(), label)).to(dtype);
}

inline Tensor mixed(const Tensor& a, const Tensor& b, double share_of_a) {
  return a * share_of_a + b * (1.0 - share_of_a);
}

inline void declare_label(Spec& s) {
  s.input(kLabelPort).doc("[N] class numbers, or [N, C] probabilities; becomes [N, C]");
}

}  // namespace kdhost::plugins
