// SPDX-License-Identifier: MIT
//
// Losses that are a sum over the numbers of two tensors, value and gradient in one pass over their memory; composed of
// operators each step of the formula writes a tensor down, and each goes back over it.
#pragma once
#include "softmax_rows.hpp"

#include <vector>

namespace kdhost::plugins {

/// What one number s of the student and the number t beside it add; p is a parameter.
enum class ElementTerm {
  smooth_l1,     ///< d^2 / (2 p) where |d| < p, else |d| - p / 2, with d = s - t
  yes_or_no,     ///< -(p t log sigmoid(s) + (1 - t) log(1 - sigmoid(s)))
  boundary,      ///< max(0, s + p)^2 where t <= 0, max(0, p - s)^2 where t > 0
  kept_squares,  ///< (s - t)^2, numbers of at most p on either side taken as 0
};

template <class T>
struct Elements {
  const T* student;
  const T* target;
  std::int64_t count;
  T parameter;
  T gradient_scale;
  T* gradient;   ///< null when nobody wants it
  double* sums;  ///< of each block
};

inline constexpr std::int64_t kElementBlock = 4096;

/// Blocks [begin, end) of kElementBlock numbers. Values do not depend on how the blocks are cut into pieces.
void element_sums(ElementTerm term, const Elements<float>& k, std::int64_t begin, std::int64_t end) noexcept;
void element_sums(ElementTerm term, const Elements<double>& k, std::int64_t begin, std::int64_t end) noexcept;

/// Least and greatest of one number or more; both NaN where there is one among them.
template <class T>
struct Extremes {
  T least, most;
};
Extremes<float> extremes(const float* x, std::int64_t n) noexcept;
Extremes<double> extremes(const double* x, std::int64_t n) noexcept;

namespace element_detail {
template <class T>
Tensor sum(std::string_view name, ElementTerm term, const Tensor& s, const Tensor& t, double parameter, double factor) {
  const bool wants_gradient = grad_enabled() && s.requires_grad();
  Tensor gradient = wants_gradient ? empty_laid_out_like<T>(s) : Tensor();
  const std::int64_t blocks = (s.numel() + kElementBlock - 1) / kElementBlock;
  std::vector<double> sums(static_cast<std::size_t>(blocks));
  const Elements<T> work{s.data<T>(),
                         t.data<T>(),
                         s.numel(),
                         static_cast<T>(parameter),
                         static_cast<T>(factor),
                         wants_gradient ? gradient.mutable_data<T>() : nullptr,
                         sums.data()};
  parallel_for(blocks, 4, [&](std::int64_t begin, std::int64_t end) noexcept { element_sums(term, work, begin, end); });
  double total = 0;
  for (const double x : sums) total += x;
  Tensor value = Tensor::of<T>({static_cast<T>(total * factor)}, {});
  if (!wants_gradient) return value;
  return custom_grad(name, KnownGradient{std::move(value), std::move(gradient)}, {s});
}
}  // namespace element_detail

/// factor * sum of the term over all numbers, of tensors that are laid out alike; `t` gets no gradient.
inline Tensor element_sum(std::string_view name, ElementTerm term, const Tensor& s, const Tensor& t, double parameter,
                          double factor) {
  return s.dtype() == Dtype::f32 ? element_detail::sum<float>(name, term, s, t, parameter, factor)
                                 : element_detail::sum<double>(name, term, s, t, parameter, factor);
}

}  // namespace kdhost::plugins
