// SPDX-License-Identifier: MIT
//
// Attention transfer with squares, sample by sample over raw memory: where each map is active, how far the two are
// apart, and the gradient with respect to the student's activity. Composed of operators the same reads and writes each
// map about seven times; here it is read once going forward and once going back. Used on the CPU by kdhost.attention,
// and by kdhost.ft, whose factors are the same.
#pragma once
#include <kdhost/plugin.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace kdhost::plugins {

/// A map in memory: [N, C, H, W] without gaps, or the same with the channels of a position side by side.
template <class T>
struct AttentionMap {
  const T* data;
  std::int64_t channels;
  bool channels_last;
};

/// How far two activities of length 1 are apart, summed over the positions of a sample.
enum class AttentionTerm { squares, distance, absolute };  ///< |d|^2, |d|, sum of |d_p|

template <class T>
struct AttentionRows {
  AttentionMap<T> student, teacher;
  std::int64_t positions;  ///< H * W, the same on both sides
  AttentionTerm term;
  T gradient_scale;
  T* gradient;    ///< [N, positions]: gradient_scale * d value / d (2 f / C of the student); null when nobody wants it
  double* value;  ///< [N], unscaled
  T* room;        ///< [N, 2 * positions], to work in
};

/// Samples [begin, end). Values do not depend on how the samples are cut into pieces.
void attention_rows(const AttentionRows<float>& k, std::int64_t begin, std::int64_t end) noexcept;
void attention_rows(const AttentionRows<double>& k, std::int64_t begin, std::int64_t end) noexcept;

namespace attention_detail {

/// The gradient with respect to a map f is weight * f, with one weight for each sample and position.
struct WeightedMap {
  Tensor value, weight;
  Tensor forward(const Tensors& in, Tensors& saved) {
    saved = {in[0], std::move(weight)};
    return std::move(value);
  }
  Tensors backward(const Tensors& saved, const Tensor& grad) {
    once_differentiable();
    return {saved[0] * (saved[1] * grad)};
  }
};

inline bool has_channels_last(const Tensor& x) {
  const kdh_tensor_info i = x.info();
  return i.strides[1] == 1 && i.strides[3] == i.sizes[1] && i.strides[2] == i.sizes[3] * i.sizes[1] &&
         i.strides[0] == i.sizes[2] * i.sizes[3] * i.sizes[1];
}

template <class T>
AttentionMap<T> map(const Tensor& x) {
  return {x.data<T>(), x.size(1), !x.is_contiguous()};
}

template <class T>
Tensor sum(std::string_view name, AttentionTerm term, const Tensor& student, const Tensor& teacher, double share) {
  const auto without_gaps = [](const Tensor& x) { return has_channels_last(x) ? x : x.contiguous(); };
  const Tensor s = without_gaps(student), t = without_gaps(teacher);
  const std::int64_t n = s.size(0), channels = s.size(1), h = s.size(2), w = s.size(3);
  const bool wants_gradient = grad_enabled() && student.requires_grad();
  Tensor weight = wants_gradient ? Tensor::empty({n, 1, h, w}, s.dtype(), s) : Tensor();
  std::vector<double> values(static_cast<std::size_t>(n));
  std::vector<T> room(static_cast<std::size_t>(2 * n * h * w));
  const AttentionRows<T> work{map<T>(s),
                              map<T>(t),
                              h * w,
                              term,
                              static_cast<T>(2.0 * share / static_cast<double>(channels)),
                              wants_gradient ? weight.mutable_data<T>() : nullptr,
                              values.data(),
                              room.data()};
  parallel_for(n, std::max<std::int64_t>(1, 32768 / (channels * h * w)),
               [&](std::int64_t begin, std::int64_t end) noexcept { attention_rows(work, begin, end); });
  double total = 0;
  for (const double v : values) total += v;
  Tensor value = Tensor::of<T>({static_cast<T>(total * share)}, {});
  if (!wants_gradient) return value;
  return custom_grad(name, WeightedMap{std::move(value), std::move(weight)}, {student});
}

}  // namespace attention_detail

/// share * sum over samples of the term between the maps' activities (mean of squares over the channels, scaled to
/// length 1): maps [N, C, H, W] on the CPU in float32 or float64, of the same N, H and W.
inline Tensor attention_sum(std::string_view name, AttentionTerm term, const Tensor& student, const Tensor& teacher,
                            double share) {
  return student.dtype() == Dtype::f32 ? attention_detail::sum<float>(name, term, student, teacher, share)
                                       : attention_detail::sum<double>(name, term, student, teacher, share);
}

}  // namespace kdhost::plugins
