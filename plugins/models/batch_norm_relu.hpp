// SPDX-License-Identifier: MIT
//
// relu(batch_norm(x)) and relu(batch_norm(x) + residual) as one step. Training a small residual network on a CPU spends
// most of its time outside the convolutions reading and writing maps; composed of operators these three steps move each
// map about twice as often. Used by the convolutional networks with batch norm.
//
// The one step is taken in training on the CPU, float32, channels_last, channels a multiple of 8; everything else goes
// through the operators, float64 always. Both give the same numbers up to rounding, running statistics included
// (momentum, unbiased variance).
#pragma once
#include <kdhost/plugin.hpp>

#include <vector>

#include "batch_norm_rows.hpp"

namespace kdhost::plugins {

namespace norm_detail {

/// Four dimensions, channels side by side, no gaps.
inline bool is_dense_channels_last(const Tensor& x) {
  const kdh_tensor_info i = x.info();
  if (i.rank != 4) return false;
  const std::int64_t c = i.sizes[1], h = i.sizes[2], w = i.sizes[3];
  const auto fits = [&](std::uint64_t d, std::int64_t stride) { return i.sizes[d] == 1 || i.strides[d] == stride; };
  return fits(1, 1) && fits(3, c) && fits(2, c * w) && fits(0, c * w * h);
}

inline bool fits_kernels(const Tensor& x) {
  return x.on_cpu() && x.dtype() == Dtype::f32 && is_dense_channels_last(x) && x.size(1) % 8 == 0 && x.numel() > 0;
}

/// Blocks a thread takes at least: about 128 KiB of each map.
inline constexpr std::int64_t kGrain = 8;

/// The derivative by hand. What forward found is kept here; x, and behind a sum the result, are kept as saved tensors.
struct NormRelu {
  std::vector<float> mean{}, scale{}, shift{}, inverse_std{};  // of each channel
  NormRows rows{};
  Tensor value{};
  bool adds = false;

  NormChannels channels() const { return {mean.data(), scale.data(), shift.data()}; }

  Tensor forward(const Tensors& in, Tensors& saved) {
    saved = {in[0]};
    if (adds) saved.push_back(value);
    return std::move(value);
  }

  Tensors backward(const Tensors& saved, const Tensor& grad) {
    once_differentiable();
    const Tensor dy = is_dense_channels_last(grad) ? grad : channels_last(grad);
    const Tensor& x = saved[0];
    const auto count = static_cast<std::size_t>(rows.channels);
    const float* px = x.data<float>();
    const float* pdy = dy.data<float>();
    const float* py = adds ? saved[1].data<float>() : nullptr;
    const Tensor through = adds ? empty_like(x) : Tensor();
    float* g = adds ? through.mutable_data<float>() : nullptr;

    std::vector<float> partial(static_cast<std::size_t>(rows.blocks()) * 2 * count);
    parallel_for(rows.blocks(), kGrain, [&](std::int64_t first, std::int64_t last) {
      norm_backward_sums(rows, channels(), px, pdy, py, g, partial.data(), first, last);
    });
    std::vector<double> sum(count), deviation(count);
    norm_join_gradients(rows, partial.data(), sum.data(), deviation.data());

    // x^ = (x - mean) / std:  dx = weight / std * (g - mean of g - x^ * mean of (g x^))
    std::vector<float> slope(count), offset(count), weight_gradient(count), bias_gradient(count);
    const auto n = static_cast<double>(rows.rows);
    for (std::size_t k = 0; k < count; ++k) {
      const double inverse = inverse_std[k], by = scale[k];
      slope[k] = static_cast<float>(-by * inverse * inverse * deviation[k] / n);
      offset[k] = static_cast<float>(-by * sum[k] / n);
      weight_gradient[k] = static_cast<float>(deviation[k] * inverse);
      bias_gradient[k] = static_cast<float>(sum[k]);
    }
    const Tensor dx = empty_like(x);
    float* pdx = dx.mutable_data<float>();
    parallel_for(rows.blocks(), kGrain, [&](std::int64_t first, std::int64_t last) {
      norm_backward(rows, channels(), slope.data(), offset.data(), px, pdy, g, pdx, first, last);
    });
    Tensors out{dx, Tensor::of(weight_gradient, {rows.channels}), Tensor::of(bias_gradient, {rows.channels})};
    if (adds) out.push_back(through);
    return out;
  }
};

/// Scale and shift from the batch's statistics, and the running statistics and their counter moved in place, as
/// LibTorch's batch norm does (a batch's variance divides by n, the running one by n - 1).
inline void take_statistics(const Call& c, const nn::BatchNorm2d& norm, const std::vector<double>& mean,
                            const std::vector<double>& variance, NormRelu& f) {
  const Tensor weight = c.part(norm.weight), bias = c.part(norm.bias);
  const float* w = weight.data<float>();
  const float* b = bias.data<float>();
  auto* running_mean = const_cast<float*>(c.part(norm.running_mean).data<float>());
  auto* running_var = const_cast<float*>(c.part(norm.running_var).data<float>());
  *const_cast<std::int64_t*>(c.part(norm.num_batches_tracked).data<std::int64_t>()) += 1;
  const auto n = static_cast<double>(f.rows.rows);
  const double moves = norm.momentum, keeps = 1.0 - norm.momentum;
  for (std::size_t k = 0; k < mean.size(); ++k) {
    const double inverse = 1.0 / std::sqrt(variance[k] + norm.eps);
    f.mean.push_back(static_cast<float>(mean[k]));
    f.inverse_std.push_back(static_cast<float>(inverse));
    f.scale.push_back(static_cast<float>(w[k] * inverse));
    f.shift.push_back(b[k]);
    running_mean[k] = static_cast<float>(keeps * static_cast<double>(running_mean[k]) + moves * mean[k]);
    running_var[k] =
        static_cast<float>(keeps * static_cast<double>(running_var[k]) + moves * variance[k] * n / (n - 1.0));
  }
}

inline Tensor in_one_step(const Call& c, const nn::BatchNorm2d& norm, const Tensor& x, const Tensor& residual) {
  NormRelu f;
  f.rows = {x.numel() / x.size(1), x.size(1)};
  f.adds = static_cast<bool>(residual);
  if (f.rows.rows < 2)
    throw std::invalid_argument("batch norm in training needs more than one value per channel, found input " +
                                to_string(x.shape()));
  const auto count = static_cast<std::size_t>(f.rows.channels);
  const float* px = x.data<float>();
  std::vector<float> partial(static_cast<std::size_t>(f.rows.blocks()) * 2 * count);
  parallel_for(f.rows.blocks(), kGrain, [&](std::int64_t first, std::int64_t last) {
    norm_block_sums(f.rows, px, partial.data(), first, last);
  });
  std::vector<double> mean(count), variance(count);
  norm_join_sums(f.rows, partial.data(), mean.data(), variance.data());
  take_statistics(c, norm, mean, variance, f);

  f.value = empty_like(x);
  float* y = f.value.mutable_data<float>();
  const float* add = residual ? residual.data<float>() : nullptr;
  parallel_for(f.rows.blocks(), kGrain, [&](std::int64_t first, std::int64_t last) {
    norm_forward(f.rows, f.channels(), px, add, y, first, last);
  });
  if (!grad_enabled()) return std::move(f.value);
  Tensors inputs{x, c.part(norm.weight), c.part(norm.bias)};
  if (residual) inputs.push_back(residual);
  return custom_grad("batch_norm_relu", std::move(f), inputs);
}

}  // namespace norm_detail

/// relu(norm(x) + residual); without a residual relu(norm(x)).
inline Tensor batch_norm_relu(const Call& c, const nn::BatchNorm2d& norm, const Tensor& x,
                              const Tensor& residual = {}) {
  using namespace norm_detail;
  if (c.training() && fits_kernels(x) && (!residual || (fits_kernels(residual) && residual.shape() == x.shape())))
    return in_one_step(c, norm, x, residual);
  const Tensor y = norm(c, x);
  return relu_(residual ? y + residual : y);
}

/// relu(convolution with its batch norm folded in + residual), for frozen networks: the sum is made in place.
inline Tensor frozen_conv_bn_add_relu(const Call& c, const nn::Conv2d& conv, const nn::BatchNorm2d& norm,
                                      const Tensor& x, const Tensor& residual) {
  using namespace norm_detail;
  Tensor y = nn::conv_bn(c, conv, norm, x);
  if (!fits_kernels(y) || !fits_kernels(residual) || grad_enabled()) return relu_(y + residual);
  float* a = y.mutable_data<float>();
  const float* b = residual.data<float>();
  parallel_for(y.numel(), 32768, [&](std::int64_t begin, std::int64_t end) { add_relu_in_place(a, b, begin, end); });
  return y;
}

}  // namespace kdhost::plugins
