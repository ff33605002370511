// SPDX-License-Identifier: MIT
//
// Value and gradient of a softmax loss in one go, row by row over raw memory: maximum, exponentials and sums, then the
// gradient with respect to the student's logits. Used by kdhost.kd and kdhost.cross_entropy on the CPU; composed of
// operators the same needs about eight passes and as many temporary tensors.
#pragma once
#include <kdhost/plugin.hpp>

#include <cstdint>

namespace kdhost::plugins {

/// KL or cross-entropy between softmax(teacher * inv_temperature) and softmax(student * inv_temperature), rows of
/// `classes` contiguous numbers.
template <class T>
struct KdRows {
  const T* student;
  const T* teacher;
  T* gradient;    ///< receives gradient_scale * (p_s - p_t); null when nobody wants it
  double* value;  ///< receives the sum over classes of each row, unscaled
  std::int64_t classes;
  T inv_temperature;
  T gradient_scale;
  bool cross_entropy;  ///< -sum p_t log p_s instead of sum p_t (log p_t - log p_s)
};

/// Cross-entropy with hard labels.
template <class T>
struct CrossEntropyRows {
  const T* student;
  const std::int64_t* label;
  std::int64_t label_stride;
  std::int64_t ignored;
  T* gradient;  ///< receives gradient_scale * (p - target); 0 in ignored rows; null when nobody wants it
  double* value;
  std::int64_t classes;
  T smoothing;
  T gradient_scale;
};

/// Rows [begin, end). Values do not depend on how the rows are cut into pieces.
void kd_rows(const KdRows<float>& k, std::int64_t begin, std::int64_t end) noexcept;
void kd_rows(const KdRows<double>& k, std::int64_t begin, std::int64_t end) noexcept;
void cross_entropy_rows(const CrossEntropyRows<float>& k, std::int64_t begin, std::int64_t end) noexcept;
void cross_entropy_rows(const CrossEntropyRows<double>& k, std::int64_t begin, std::int64_t end) noexcept;

/// True for what the row kernels read: CPU memory, float32 or float64, rows without gaps.
inline bool fits_row_kernel(const Tensor& x) {
  return x.on_cpu() && (x.dtype() == Dtype::f32 || x.dtype() == Dtype::f64) && x.is_contiguous();
}

/// Rows a thread takes at least: about 16,000 exponentials, some 20 microseconds.
inline std::int64_t row_grain(std::int64_t classes) { return std::max<std::int64_t>(1, 16384 / classes); }

/// A scalar whose gradient with respect to one input was computed along with it. It can be differentiated once: the
/// gradient is a saved result, so create_graph is refused.
struct KnownGradient {
  Tensor value, gradient;
  Tensor forward(const Tensors&, Tensors& saved) {
    saved.push_back(std::move(gradient));
    return std::move(value);
  }
  Tensors backward(const Tensors& saved, const Tensor& grad) {
    once_differentiable();
    return {saved[0] * grad};
  }
};

}  // namespace kdhost::plugins
