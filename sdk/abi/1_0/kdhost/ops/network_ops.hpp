// SPDX-License-Identifier: MIT
//
// kdhost/ops/network_ops.hpp: activations, convolutions, normalisation, pooling, resizing, recurrent cells and
// attention: what layers are made of. kdhost/nn.hpp has the layers themselves. Part of <kdhost/ops.hpp>.
#pragma once
#include <kdhost/ops/pointwise.hpp>
#include <kdhost/ops/reductions.hpp>
#include <kdhost/tensor.hpp>

namespace kdhost {
inline namespace v1 {

/// A size of two dimensions, height before width; one number stands for both.
struct Pair {
  template <class T, class = std::enable_if_t<std::is_integral_v<T>>>
  Pair(T both) : list{static_cast<std::int64_t>(both), static_cast<std::int64_t>(both)} {}
  Pair(std::int64_t height, std::int64_t width) : list{height, width} {}
  std::array<std::int64_t, 2> list;
};
struct LstmResult {
  Tensor output, h, c;
};
struct GruResult {
  Tensor output, h;
};
enum class Interpolation { nearest, bilinear, bicubic };

// ---- activations
inline Tensor relu(const Tensor& self) {
  static const Op op("aten::relu");
  return op({{"self", self}});
}
inline Tensor silu(const Tensor& self) {
  static const Op op("aten::silu");
  return op({{"self", self}});
}
inline Tensor mish(const Tensor& self) {
  static const Op op("aten::mish");
  return op({{"self", self}});
}
inline Tensor selu(const Tensor& self) {
  static const Op op("aten::selu");
  return op({{"self", self}});
}
inline Tensor hardswish(const Tensor& self) {
  static const Op op("aten::hardswish");
  return op({{"self", self}});
}
inline Tensor hardsigmoid(const Tensor& self) {
  static const Op op("aten::hardsigmoid");
  return op({{"self", self}});
}
/// In place: only on a tensor that this plugin has made and nobody else reads.
inline Tensor relu_(const Tensor& self) {
  static const Op op("aten::relu_");
  return op({{"self", self}});
}
inline Tensor leaky_relu(const Tensor& self, Scalar negative_slope = 0.01) {
  static const Op op("aten::leaky_relu");
  return op({{"self", self}, {"negative_slope", negative_slope}});
}
/// approximate: "none" or "tanh".
inline Tensor gelu(const Tensor& self, std::string_view approximate = "none") {
  static const Op op("aten::gelu");
  return op({{"self", self}, {"approximate", approximate}});
}
inline Tensor elu(const Tensor& self, Scalar alpha = 1) {
  static const Op op("aten::elu");
  return op({{"self", self}, {"alpha", alpha}});
}
inline Tensor celu(const Tensor& self, Scalar alpha = 1.0) {
  static const Op op("aten::celu");
  return op({{"self", self}, {"alpha", alpha}});
}
inline Tensor hardtanh(const Tensor& self, Scalar min_val = -1, Scalar max_val = 1) {
  static const Op op("aten::hardtanh");
  return op({{"self", self}, {"min_val", min_val}, {"max_val", max_val}});
}
inline Tensor prelu(const Tensor& self, const Tensor& weight) {
  static const Op op("aten::prelu");
  return op({{"self", self}, {"weight", weight}});
}
inline Tensor glu(const Tensor& self, std::int64_t dim = -1) {
  static const Op op("aten::glu");
  return op({{"self", self}, {"dim", dim}});
}
inline Tensor dropout(const Tensor& input, double p, bool train) {
  static const Op op("aten::dropout");
  return op({{"input", input}, {"p", p}, {"train", train}});
}
/// Whole channels at once.
inline Tensor feature_dropout(const Tensor& input, double p, bool train) {
  static const Op op("aten::feature_dropout");
  return op({{"input", input}, {"p", p}, {"train", train}});
}

// ---- linear maps
inline Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias = {}) {
  static const Op op("aten::linear");
  return op({{"input", input}, {"weight", weight}, {"bias", bias}});
}
inline Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, const Dims& stride = 1,
                     const Dims& padding = 0, const Dims& dilation = 1, std::int64_t groups = 1) {
  static const Op op("aten::conv1d");
  return op({{"input", input},
             {"weight", weight},
             {"bias", bias},
             {"stride", stride.list},
             {"padding", padding.list},
             {"dilation", dilation.list},
             {"groups", groups}});
}
inline Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, Pair stride = 1,
                     Pair padding = 0, Pair dilation = 1, std::int64_t groups = 1) {
  static const Op op("aten::conv2d");
  return op({{"input", input},
             {"weight", weight},
             {"bias", bias},
             {"stride", stride.list},
             {"padding", padding.list},
             {"dilation", dilation.list},
             {"groups", groups}});
}
inline Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, Pair stride = 1,
                               Pair padding = 0, Pair output_padding = 0, std::int64_t groups = 1, Pair dilation = 1) {
  static const Op op("aten::conv_transpose2d", "input");
  return op({{"input", input},
             {"weight", weight},
             {"bias", bias},
             {"stride", stride.list},
             {"padding", padding.list},
             {"output_padding", output_padding.list},
             {"groups", groups},
             {"dilation", dilation.list}});
}
inline Tensor embedding(const Tensor& weight, const Tensor& indices, std::int64_t padding_idx = -1) {
  static const Op op("aten::embedding");
  return op({{"weight", weight}, {"indices", indices}, {"padding_idx", padding_idx}});
}

// ---- normalisation
/// In training the running statistics are updated in place.
inline Tensor batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                         const Tensor& running_var, bool training, double momentum = 0.1, double eps = 1e-5) {
  static const Op op("aten::batch_norm");
  return op({{"input", input},
             {"weight", weight},
             {"bias", bias},
             {"running_mean", running_mean},
             {"running_var", running_var},
             {"training", training},
             {"momentum", momentum},
             {"eps", eps},
             {"cudnn_enabled", true}});
}
inline Tensor instance_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                            const Tensor& running_var, bool use_input_stats, double momentum = 0.1, double eps = 1e-5) {
  static const Op op("aten::instance_norm");
  return op({{"input", input},
             {"weight", weight},
             {"bias", bias},
             {"running_mean", running_mean},
             {"running_var", running_var},
             {"use_input_stats", use_input_stats},
             {"momentum", momentum},
             {"eps", eps},
             {"cudnn_enabled", true}});
}
inline Tensor layer_norm(const Tensor& input, const Shape& normalized_shape, const Tensor& weight = {},
                         const Tensor& bias = {}, double eps = 1e-5) {
  static const Op op("aten::layer_norm");
  return op(
      {{"input", input}, {"normalized_shape", normalized_shape}, {"weight", weight}, {"bias", bias}, {"eps", eps}});
}
inline Tensor group_norm(const Tensor& input, std::int64_t num_groups, const Tensor& weight = {},
                         const Tensor& bias = {}, double eps = 1e-5) {
  static const Op op("aten::group_norm");
  return op({{"input", input}, {"num_groups", num_groups}, {"weight", weight}, {"bias", bias}, {"eps", eps}});
}
/// self / max(norm, eps) along `dim`.
inline Tensor normalize(const Tensor& self, double p = 2.0, std::int64_t dim = 1, double eps = 1e-12) {
  return self / clamp_min(norm(self, p, dim, true), eps);
}

// ---- pooling and resizing of [N, C, H, W]
/// stride 0: as large as the kernel.
inline Tensor max_pool2d(const Tensor& self, Pair kernel_size, Pair stride = 0, Pair padding = 0, Pair dilation = 1,
                         bool ceil_mode = false) {
  static const Op op("aten::max_pool2d");
  const Pair& step = stride.list[0] == 0 ? kernel_size : stride;
  return op({{"self", self},
             {"kernel_size", kernel_size.list},
             {"stride", step.list},
             {"padding", padding.list},
             {"dilation", dilation.list},
             {"ceil_mode", ceil_mode}});
}
/// stride 0: as large as the kernel.
inline Tensor avg_pool2d(const Tensor& self, Pair kernel_size, Pair stride = 0, Pair padding = 0,
                         bool ceil_mode = false, bool count_include_pad = true) {
  static const Op op("aten::avg_pool2d");
  const Pair& step = stride.list[0] == 0 ? kernel_size : stride;
  return op({{"self", self},
             {"kernel_size", kernel_size.list},
             {"stride", step.list},
             {"padding", padding.list},
             {"ceil_mode", ceil_mode},
             {"count_include_pad", count_include_pad}});
}
inline Tensor adaptive_avg_pool1d(const Tensor& self, const Dims& output_size) {
  static const Op op("aten::adaptive_avg_pool1d");
  return op({{"self", self}, {"output_size", output_size.list}});
}
inline Tensor adaptive_avg_pool2d(const Tensor& self, Pair output_size) {
  static const Op op("aten::adaptive_avg_pool2d");
  return op({{"self", self}, {"output_size", output_size.list}});
}
inline Tensor adaptive_max_pool2d(const Tensor& self, Pair output_size) {
  static const Op op("aten::adaptive_max_pool2d");
  return std::move(op.call<2>({{"self", self}, {"output_size", output_size.list}})[0]);
}
inline Tensor upsample_nearest2d(const Tensor& self, Pair output_size) {
  static const Op op("aten::upsample_nearest2d");
  return op({{"self", self}, {"output_size", output_size.list}});
}
inline Tensor upsample_bilinear2d(const Tensor& self, Pair output_size, bool align_corners = false) {
  static const Op op("aten::upsample_bilinear2d");
  return op({{"self", self}, {"output_size", output_size.list}, {"align_corners", align_corners}});
}
inline Tensor upsample_bicubic2d(const Tensor& self, Pair output_size, bool align_corners = false) {
  static const Op op("aten::upsample_bicubic2d");
  return op({{"self", self}, {"output_size", output_size.list}, {"align_corners", align_corners}});
}
inline Tensor interpolate(const Tensor& self, Pair size, Interpolation mode = Interpolation::nearest,
                          bool align_corners = false) {
  if (mode == Interpolation::nearest) return upsample_nearest2d(self, size);
  if (mode == Interpolation::bilinear) return upsample_bilinear2d(self, size, align_corners);
  return upsample_bicubic2d(self, size, align_corners);
}
/// Reads `input` [N, C, H, W] at the places of `grid` [N, H', W', 2], each in [-1, 1]; zeros outside.
inline Tensor grid_sample(const Tensor& input, const Tensor& grid, Interpolation mode = Interpolation::bilinear,
                          bool align_corners = false) {
  static const Op op("aten::grid_sampler");
  const std::int64_t number = mode == Interpolation::bilinear ? 0 : mode == Interpolation::nearest ? 1 : 2;
  return op({{"input", input},
             {"grid", grid},
             {"interpolation_mode", number},
             {"padding_mode", 0},
             {"align_corners", align_corners}});
}
/// theta [N, 2, 3] to a grid for grid_sample of an image of `size` [N, C, H, W].
inline Tensor affine_grid(const Tensor& theta, const Shape& size, bool align_corners = false) {
  static const Op op("aten::affine_grid_generator");
  return op({{"theta", theta}, {"size", size}, {"align_corners", align_corners}});
}
/// Two numbers a dimension, from the last dimension on: before, after. mode: "constant", "reflect", "replicate",
/// "circular".
inline Tensor pad(const Tensor& self, const Shape& pad, std::string_view mode = "constant", double value = 0.0) {
  static const Op op("aten::pad");
  const std::optional<double> fill = mode == "constant" ? std::optional<double>(value) : std::nullopt;
  return op({{"self", self}, {"pad", pad}, {"mode", mode}, {"value", fill}});
}
/// Sliding blocks as columns: [N, C * kernel, blocks].
inline Tensor unfold(const Tensor& self, Pair kernel_size, Pair dilation = 1, Pair padding = 0, Pair stride = 1) {
  static const Op op("aten::im2col");
  return op({{"self", self},
             {"kernel_size", kernel_size.list},
             {"dilation", dilation.list},
             {"padding", padding.list},
             {"stride", stride.list}});
}
/// The sum of sliding blocks; the transpose of unfold.
inline Tensor fold(const Tensor& self, Pair output_size, Pair kernel_size, Pair dilation = 1, Pair padding = 0,
                   Pair stride = 1) {
  static const Op op("aten::col2im");
  return op({{"self", self},
             {"output_size", output_size.list},
             {"kernel_size", kernel_size.list},
             {"dilation", dilation.list},
             {"padding", padding.list},
             {"stride", stride.list}});
}
inline Tensor pixel_shuffle(const Tensor& self, std::int64_t upscale_factor) {
  static const Op op("aten::pixel_shuffle");
  return op({{"self", self}, {"upscale_factor", upscale_factor}});
}
inline Tensor pixel_unshuffle(const Tensor& self, std::int64_t downscale_factor) {
  static const Op op("aten::pixel_unshuffle");
  return op({{"self", self}, {"downscale_factor", downscale_factor}});
}

// ---- sequences
/// hx = {h, c}; params as PyTorch flattens them: for each layer and direction weight_ih, weight_hh, bias_ih, bias_hh.
inline LstmResult lstm(const Tensor& input, const Tensors& hx, const Tensors& params, bool has_biases,
                       std::int64_t num_layers, double dropout, bool train, bool bidirectional, bool batch_first) {
  static const Op op("aten::lstm", "input");
  auto r = op.call<3>({{"input", input},
                       {"hx", hx},
                       {"params", params},
                       {"has_biases", has_biases},
                       {"num_layers", num_layers},
                       {"dropout", dropout},
                       {"train", train},
                       {"bidirectional", bidirectional},
                       {"batch_first", batch_first}});
  return {std::move(r[0]), std::move(r[1]), std::move(r[2])};
}
inline GruResult gru(const Tensor& input, const Tensor& hx, const Tensors& params, bool has_biases,
                     std::int64_t num_layers, double dropout, bool train, bool bidirectional, bool batch_first) {
  static const Op op("aten::gru", "input");
  auto r = op.call<2>({{"input", input},
                       {"hx", hx},
                       {"params", params},
                       {"has_biases", has_biases},
                       {"num_layers", num_layers},
                       {"dropout", dropout},
                       {"train", train},
                       {"bidirectional", bidirectional},
                       {"batch_first", batch_first}});
  return {std::move(r[0]), std::move(r[1])};
}
/// query [N, ..., L, E], key [N, ..., S, E], value [N, ..., S, Ev].
inline Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                           const Tensor& attn_mask = {}, double dropout_p = 0.0, bool is_causal = false,
                                           std::optional<double> scale = {}) {
  static const Op op("aten::scaled_dot_product_attention");
  return op({{"query", query},
             {"key", key},
             {"value", value},
             {"attn_mask", attn_mask},
             {"dropout_p", dropout_p},
             {"is_causal", is_causal},
             {"scale", scale}});
}

}  // namespace v1
}  // namespace kdhost
