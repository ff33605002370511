// SPDX-License-Identifier: MIT
//
// The sum of squared differences of two tensors in one pass over their memory; LibTorch's mse_loss writes the squares
// down before it adds them. The gradient takes one more pass; where it shall be differentiated again it is LibTorch's
// own.
#pragma once
#include "softmax_rows.hpp"

#include <vector>

namespace kdhost::plugins {

/// Sums of squared differences of blocks [begin, end) of kSquaresBlock numbers out of n. Each block has its place in
/// `sums`, so the result does not depend on how the blocks are cut.
inline constexpr std::int64_t kSquaresBlock = 8192;
void squared_differences(const float* a, const float* b, std::int64_t n, std::int64_t begin, std::int64_t end,
                         double* sums) noexcept;
void squared_differences(const double* a, const double* b, std::int64_t n, std::int64_t begin, std::int64_t end,
                         double* sums) noexcept;

/// out = (a - b) * factor for numbers [begin, end).
void scaled_differences(const float* a, const float* b, float factor, float* out, std::int64_t begin,
                        std::int64_t end) noexcept;
void scaled_differences(const double* a, const double* b, double factor, double* out, std::int64_t begin,
                        std::int64_t end) noexcept;

namespace squares_detail {

/// 2 (a - b) * factor in the layout of `a`, which `b` shares.
template <class T>
Tensor gradient(const Tensor& a, const Tensor& b, double factor) {
  Tensor out = empty_laid_out_like<T>(a);
  const T *x = a.data<T>(), *y = b.data<T>();
  T* to = out.mutable_data<T>();
  parallel_for(a.numel(), 32768, [&](std::int64_t begin, std::int64_t end) noexcept {
    scaled_differences(x, y, static_cast<T>(2.0 * factor), to, begin, end);
  });
  return out;
}

struct ByMemory {
  Tensor value;
  Reduction reduction;
  Tensor forward(const Tensors& in, Tensors& saved) {
    saved = in;
    return std::move(value);
  }
  Tensors backward(const Tensors& saved, const Tensor& grad) {
    if (!grad_enabled()) {
      const Tensor& a = saved[0];
      const double factor = grad.item() / (reduction == Reduction::mean ? static_cast<double>(a.numel()) : 1.0);
      return {a.dtype() == Dtype::f32 ? gradient<float>(a, saved[1], factor) : gradient<double>(a, saved[1], factor),
              Tensor()};
    }
    static const Op op("aten::mse_loss_backward");
    return {
        op({{"grad_output", grad}, {"self", saved[0]}, {"target", saved[1]}, {"reduction", detail::code(reduction)}}),
        Tensor()};
  }
};

template <class T>
double sum(const Tensor& a, const Tensor& b) {
  const T *x = a.data<T>(), *y = b.data<T>();
  const std::int64_t n = a.numel(), blocks = (n + kSquaresBlock - 1) / kSquaresBlock;
  std::vector<double> sums(static_cast<std::size_t>(blocks));
  parallel_for(blocks, 4, [&](std::int64_t begin, std::int64_t end) noexcept {
    squared_differences(x, y, n, begin, end, sums.data());
  });
  double total = 0;
  for (const double s : sums) total += s;
  return total;
}
}  // namespace squares_detail

/// mse_loss for tensors of equal shapes, mean or sum; `t` gets no gradient.
inline Tensor squared_difference(const Tensor& s, const Tensor& t, Reduction reduction = Reduction::mean) {
  if (!laid_out_alike(s, t)) return mse_loss(s, t, reduction);
  const bool narrow = s.dtype() == Dtype::f32;
  double total = narrow ? squares_detail::sum<float>(s, t) : squares_detail::sum<double>(s, t);
  if (reduction == Reduction::mean) total /= static_cast<double>(s.numel());
  Tensor value = narrow ? Tensor::of<float>({static_cast<float>(total)}, {}) : Tensor::of<double>({total}, {});
  if (!grad_enabled() || !s.requires_grad()) return value;
  return custom_grad("squared_difference", squares_detail::ByMemory{std::move(value), reduction}, {s, t});
}

}  // namespace kdhost::plugins
