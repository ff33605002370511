// SPDX-License-Identifier: MIT
//
// Mean squared difference of the products X^T X of two sides, sample by sample: Gram matrices of channels or positions.
// The gradient is hand-written: X^T X is symmetric, so it is one product X W, where differentiating takes two. It is
// made along with the value and can be taken once only.
#pragma once
#include "../loss_inputs.hpp"
#include "../softmax_rows.hpp"

namespace kdhost::plugins {

/// X [N, inner, outer] of each side, which share N and outer.
struct ProductSides {
  Tensor student, teacher;
  double student_scale = 1.0, teacher_scale = 1.0;  ///< of the products
};

/// mean over N * outer^2 of (student_scale X_s^T X_s - teacher_scale X_t^T X_t)^2
inline Tensor product_difference(std::string_view name, const ProductSides& x) {
  const bool wants_gradient = grad_enabled() && x.student.requires_grad();
  Tensor value, gradient;
  {
    const NoGrad off;
    const auto products = [](const Tensor& f, double scale) {
      const Tensor g = bmm(f.transpose(1, 2), f);
      return scale == 1.0 ? g : g * scale;
    };
    const Tensor difference = products(x.student, x.student_scale) - products(x.teacher, x.teacher_scale);
    value = square(difference).mean();
    if (wants_gradient)
      gradient = bmm(x.student, difference) * (4.0 * x.student_scale / static_cast<double>(difference.numel()));
  }
  if (!wants_gradient) return value;
  return custom_grad(name, KnownGradient{std::move(value), std::move(gradient)}, {x.student});
}

}  // namespace kdhost::plugins
