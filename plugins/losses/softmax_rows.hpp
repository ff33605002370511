// SPDX-License-Identifier: MIT
//
// Value and gradient of a softmax loss in one go, row by row over raw memory: maximum, exponentials and sums, then the
// gradient with respect to the student's logits; composed of operators the same needs about eight passes and as many
// temporary tensors. Here are the kernel of kdhost.cross_entropy and what all row kernels share; those of the
// distillation losses are in logit/.
#pragma once
#include <kdhost/plugin.hpp>

#include <sys/mman.h>

#include <cmath>
#include <cstdint>

namespace kdhost::plugins {

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
  T gamma = 0;  ///< of the focal loss: each row counts (1 - p_label)^gamma; without smoothing
};

/// Rows [begin, end). Values do not depend on how the rows are cut into pieces.
void cross_entropy_rows(const CrossEntropyRows<float>& k, std::int64_t begin, std::int64_t end) noexcept;
void cross_entropy_rows(const CrossEntropyRows<double>& k, std::int64_t begin, std::int64_t end) noexcept;

/// True for what the row kernels read: CPU memory, float32 or float64, rows without gaps.
inline bool fits_row_kernel(const Tensor& x) {
  return x.on_cpu() && (x.dtype() == Dtype::f32 || x.dtype() == Dtype::f64) && x.is_contiguous();
}

/// Rows a thread takes at least: about 16,000 exponentials, some 20 microseconds.
inline std::int64_t row_grain(std::int64_t classes) { return std::max<std::int64_t>(1, 16384 / classes); }

/// [N, C, H, W] with the channels of a position side by side, or any shape in its own order; nothing between the
/// numbers.
inline bool has_no_gaps(const Tensor& x) {
  return x.is_contiguous() || (x.dim() == 4 && x.permute({0, 2, 3, 1}).is_contiguous());
}

/// True for two tensors that a kernel can walk through together: CPU memory of one of its types without gaps, the
/// numbers of both in the same order.
inline bool laid_out_alike(const Tensor& a, const Tensor& b) {
  return a.on_cpu() && b.on_cpu() && (a.dtype() == Dtype::f32 || a.dtype() == Dtype::f64) && a.dtype() == b.dtype() &&
         a.shape() == b.shape() && a.strides() == b.strides() && has_no_gaps(a);
}

/// Like `like`, not initialised. What is large is asked for in pages of 2 MiB: such memory comes fresh from the system
/// each time, and taking it 4 KiB at a time would cost as much as a pass of the kernel.
template <class T>
Tensor empty_for_rows(const Tensor& like) {
  Tensor made = Tensor::empty(like.shape(), like.dtype(), like);
#if defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t kPage = 4096, kLarge = 8u << 20;
  const auto begin = reinterpret_cast<std::uintptr_t>(made.mutable_data<T>());
  const std::uintptr_t end = begin + static_cast<std::uintptr_t>(made.numel()) * sizeof(T);
  const std::uintptr_t from = (begin + kPage - 1) / kPage * kPage, to = end / kPage * kPage;
  if (end - begin >= kLarge) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);  // a wish; no error
#endif
  return made;
}

/// The same in the order of `like`, which has no gaps.
template <class T>
Tensor empty_laid_out_like(const Tensor& like) {
  if (like.is_contiguous()) return empty_for_rows<T>(like);
  return empty_for_rows<T>(like.permute({0, 2, 3, 1})).permute({0, 3, 1, 2});
}

/// A scalar whose gradient with respect to one input was computed along with it. It can be differentiated once: the
/// gradient is a saved result, so create_graph is refused.
struct KnownGradient {
  Tensor value, gradient;
  double given = 0;  ///< the factor with which the saved gradient was given away; 0: not yet

  Tensor forward(const Tensors&, Tensors& saved) {
    saved.push_back(std::move(gradient));
    return std::move(value);
  }
  /// The first time, on the CPU, the saved gradient is scaled in place and given away: with a large vocabulary a second
  /// tensor of this size costs as much as the arithmetic. From then on somebody may hold it, so it stays as it is; what
  /// they change in it, autograd notices by the version of a saved tensor.
  Tensors backward(const Tensors& saved, const Tensor& grad) {
    once_differentiable();
    const Tensor& g = saved[0];
    if (given != 0) return {g * (grad * (1.0 / given))};
    const double by = g.on_cpu() && has_no_gaps(g) ? grad.item() : 0.0;
    if (by == 0 || !std::isfinite(by)) return {g * grad};
    if (by != 1 && g.dtype() == Dtype::f32) scaled<float>(g, static_cast<float>(by));
    if (by != 1 && g.dtype() == Dtype::f64) scaled<double>(g, by);
    given = by;
    return {g};
  }

 private:
  template <class T>
  static void scaled(const Tensor& g, T by) {
    T* x = g.mutable_data<T>();
    parallel_for(g.numel(), 1 << 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) x[i] *= by;
    });
  }
};

/// factor * the sum of a kernel's row values, with its gradient where one is wanted. `rows` lacks `gradient` and
/// `value`; run(rows, begin, end) computes some of its rows. Values do not depend on how the rows are cut into pieces.
template <class T, class Rows, class Run>
Tensor sum_of_rows(std::string_view name, const Tensor& student, double factor, Rows rows, const Run& run) {
  const std::int64_t n = student.size(0), classes = student.size(1);
  const bool wants_gradient = grad_enabled() && student.requires_grad();
  Tensor gradient = wants_gradient ? empty_for_rows<T>(student) : Tensor();
  std::vector<double> values(static_cast<std::size_t>(n));
  rows.gradient = wants_gradient ? gradient.mutable_data<T>() : nullptr;
  rows.value = values.data();
  parallel_for(n, row_grain(classes), [&](std::int64_t begin, std::int64_t end) { run(rows, begin, end); });
  double sum = 0;
  for (const double v : values) sum += v;
  Tensor value = Tensor::of<T>({static_cast<T>(sum * factor)}, {});
  if (!wants_gradient) return value;
  return custom_grad(name, KnownGradient{std::move(value), std::move(gradient)}, {student});
}

}  // namespace kdhost::plugins
