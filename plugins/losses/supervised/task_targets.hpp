// SPDX-License-Identifier: MIT
//
// Predictions and what they shall be, for task terms whose target has the shape of the prediction. A term of one task
// binds a tap and a field of its own: inputs = { "student.logits" = "age", "batch.label" = "age" }.
#pragma once
#include "../element_sums.hpp"
#include "../loss_inputs.hpp"

namespace kdhost::plugins {

inline void describe_task_ports(Spec& s, std::string_view target) {
  s.input("student.logits").doc("[N, ...], logits or values: the tap of this task");
  s.input("batch.label").doc(target);
}

/// In float32 or float64.
inline Tensor predictions(const Call& c) {
  const Tensor z = c["student.logits"];
  check_samples("student.logits", z);
  if (!is_floating(z.dtype()))
    throw std::invalid_argument("'student.logits' holds " + std::string(name_of(z.dtype())) +
                                ", expected floating-point numbers");
  return at_least_float32(z);
}

/// 'batch.label' in shape and dtype of the prediction; [N] and [N, 1] stand for each other.
inline Tensor targets_like(const Call& c, const Tensor& z, const std::string& or_else = {}) {
  Tensor y = c["batch.label"];
  if (y.dim() > 0 && y.size(0) == z.size(0) && y.numel() == z.numel() && z.numel() == z.size(0))
    y = y.reshape(z.shape());
  if (y.shape() != z.shape()) refuse_shape("batch.label", y, to_string(z.shape()) + " like 'student.logits'" + or_else);
  return y.to(z.dtype()).detach();
}

/// Probabilities of yes like the prediction; class numbers [N] of predictions [N, C] become one yes among C.
inline Tensor yes_or_no(const Call& c, const Tensor& z) {
  const Tensor y = c["batch.label"];
  if (z.dim() == 2 && z.size(1) > 1 && y.dim() == 1 && !is_floating(y.dtype()))
    return one_hot(hard_labels(c, z.size(0), z.size(1)), z.size(1)).to(z.dtype());
  Tensor target = targets_like(
      c, z, z.dim() == 2 && z.size(1) > 1 ? ", or class numbers, int64 [" + std::to_string(z.size(0)) + "]" : "");
  const auto check = [&](auto zero) {
    using T = decltype(zero);
    const Extremes<T> found = extremes(target.template data<T>(), target.numel());
    if (found.least < 0 || found.most > 1)
      throw std::invalid_argument("'batch.label' has values from " + std::to_string(found.least) + " to " +
                                  std::to_string(found.most) + ", expected probabilities, 0 to 1");
  };
  if (fits_row_kernel(target)) target.dtype() == Dtype::f32 ? check(float{}) : check(double{});
  return target;
}

}  // namespace kdhost::plugins
