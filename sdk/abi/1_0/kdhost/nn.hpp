// SPDX-License-Identifier: MIT
//
// kdhost/nn.hpp: layers for models and for losses with trainable parts. A layer is made by a Builder in the constructor
// of a component, holds slot numbers and never tensors, and is used as layer(c, x). Names, shapes and default
// initialisation of the parameters are PyTorch's, so public weight files load without renaming. Include
// <kdhost/plugin.hpp>.
#pragma once
#include <kdhost/call.hpp>
#include <kdhost/ops.hpp>

#include <cmath>
#include <optional>

namespace kdhost {
inline namespace v1 {
namespace nn {

// ---- initial values. A weight's shape is [out, in, kernel...]: fan in = in * kernel, fan out = out * kernel.

namespace detail {
inline double fan(const Shape& weight, std::size_t side) {
  std::int64_t n = weight.at(side);
  for (std::size_t i = 2; i < weight.size(); ++i) n *= weight[i];
  return static_cast<double>(n);
}
/// What PyTorch gives linear and convolution layers: kaiming_uniform with a = sqrt(5), which is U(-1/sqrt(fan in),
/// 1/sqrt(fan in)).
inline Init usual(double fan_in) {
  const double bound = fan_in > 0 ? 1.0 / std::sqrt(fan_in) : 0.0;
  return Init::uniform(-bound, bound);
}
}  // namespace detail

/// He initialisation for ReLU networks, variance kept in the backward pass: N(0, 2 / fan out).
inline Init kaiming_normal_fan_out(const Shape& weight) {
  return Init::normal(0.0, std::sqrt(2.0 / detail::fan(weight, 0)));
}
/// The same for the forward pass: N(0, 2 / fan in).
inline Init kaiming_normal_fan_in(const Shape& weight) {
  return Init::normal(0.0, std::sqrt(2.0 / detail::fan(weight, 1)));
}
/// Glorot initialisation: U(-b, b) with b = sqrt(6 / (fan in + fan out)).
inline Init xavier_uniform(const Shape& weight) {
  const double bound = std::sqrt(6.0 / (detail::fan(weight, 0) + detail::fan(weight, 1)));
  return Init::uniform(-bound, bound);
}

// ---- layers

/// y = x W^T + b; weight [out, in], bias [out].
struct Linear {
  Slot weight, bias;
  Tensor operator()(const Call& c, const Tensor& x) const {
    return linear(x, c.part(weight), bias ? c.part(bias) : Tensor());
  }
};

/// Written {stride, padding, dilation, groups, bias} or field by field; a Pair is one number or {height, width}.
struct ConvOptions {
  Pair stride = 1;
  Pair padding = 0;
  Pair dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  std::optional<Init> init{};  ///< of the weight; none: PyTorch's default
  Pair output_padding = 0;     ///< transposed convolution only
};

/// weight [out, in / groups, height, width], bias [out].
struct Conv2d {
  Slot weight, bias;
  Pair stride = 1, padding = 0, dilation = 1;
  std::int64_t groups = 1;
  Tensor operator()(const Call& c, const Tensor& x) const {
    return (*this)(x, c.part(weight), bias ? c.part(bias) : Tensor());
  }
  /// With another weight and bias of the same shapes.
  Tensor operator()(const Tensor& x, const Tensor& w, const Tensor& b) const {
    return conv2d(x, w, b, stride, padding, dilation, groups);
  }
};

/// weight [in, out / groups, height, width], bias [out].
struct ConvTranspose2d {
  Slot weight, bias;
  Pair stride = 1, padding = 0, output_padding = 0, dilation = 1;
  std::int64_t groups = 1;
  Tensor operator()(const Call& c, const Tensor& x) const {
    return conv_transpose2d(x, c.part(weight), bias ? c.part(bias) : Tensor(), stride, padding, output_padding, groups,
                            dilation);
  }
};

/// Over [N, C, H, W], or [N, C]. In training it uses the batch's statistics and moves the running ones in place.
struct BatchNorm2d {
  Slot weight, bias, running_mean, running_var, num_batches_tracked;
  double eps = 1e-5, momentum = 0.1;
  Tensor operator()(const Call& c, const Tensor& x) const {
    if (c.training()) {
      const NoGrad off;
      add_(c.part(num_batches_tracked), 1);
    }
    return batch_norm(x, c.part(weight), c.part(bias), c.part(running_mean), c.part(running_var), c.training(),
                      momentum, eps);
  }
};

/// Over the last dimensions, which have the shape given to the builder.
struct LayerNorm {
  Slot weight, bias;
  Shape shape{};
  double eps = 1e-5;
  Tensor operator()(const Call& c, const Tensor& x) const {
    return layer_norm(x, shape, c.part(weight), c.part(bias), eps);
  }
};

/// int64 indices of any shape to [..., dim]; weight [count, dim].
struct Embedding {
  Slot weight;
  Tensor operator()(const Call& c, const Tensor& indices) const { return embedding(c.part(weight), indices); }
};

namespace detail {
/// The parameters of a recurrent layer in the order in which the operators take them.
struct Recurrent {
  std::vector<Slot> slots{};
  std::int64_t hidden = 0, layers = 1;
  bool bidirectional = false;

  Tensors parts(const Call& c) const {
    Tensors list;
    list.reserve(slots.size());
    for (Slot s : slots) list.push_back(c.part(s));
    return list;
  }
  /// A zero state for the sequences x [N, L, in].
  Tensor zero_state(const Tensor& x) const { return zeros({layers * (bidirectional ? 2 : 1), x.size(0), hidden}, x); }
};

/// Declares them: `gates` is 4 for LSTM, 3 for GRU.
inline Recurrent recurrent(const Builder& b, std::int64_t gates, std::int64_t in, std::int64_t hidden,
                           std::int64_t layers, bool bidirectional) {
  Recurrent r{{}, hidden, layers, bidirectional};
  const Init init = usual(static_cast<double>(hidden));
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const std::int64_t width = layer == 0 ? in : hidden * (bidirectional ? 2 : 1);
    for (const char* direction : {"", "_reverse"}) {
      if (*direction != '\0' && !bidirectional) continue;
      const std::string end = "_l" + std::to_string(layer) + direction;
      r.slots.push_back(b.parameter("weight_ih" + end, {gates * hidden, width}, init));
      r.slots.push_back(b.parameter("weight_hh" + end, {gates * hidden, hidden}, init));
      r.slots.push_back(b.parameter("bias_ih" + end, {gates * hidden}, init, false));
      r.slots.push_back(b.parameter("bias_hh" + end, {gates * hidden}, init, false));
    }
  }
  return r;
}
}  // namespace detail

/// Sequences x [N, L, in] to output [N, L, hidden * directions] and the last state, h and c [layers * directions, N,
/// hidden].
struct Lstm {
  detail::Recurrent parts;
  /// From a zero state.
  LstmResult operator()(const Call& c, const Tensor& x) const {
    const Tensor zero = parts.zero_state(x);
    return (*this)(c, x, zero, zero);
  }
  LstmResult operator()(const Call& c, const Tensor& x, const Tensor& h, const Tensor& cell) const {
    return lstm(x, {h, cell}, parts.parts(c), true, parts.layers, 0.0, c.training(), parts.bidirectional, true);
  }
};

/// As Lstm; the state is h alone.
struct Gru {
  detail::Recurrent parts;
  GruResult operator()(const Call& c, const Tensor& x) const { return (*this)(c, x, parts.zero_state(x)); }
  GruResult operator()(const Call& c, const Tensor& x, const Tensor& h) const {
    return gru(x, h, parts.parts(c), true, parts.layers, 0.0, c.training(), parts.bidirectional, true);
  }
};

/// Attention over sequences [N, L, width], each head on width / heads of the features.
struct MultiheadAttention {
  Slot in_proj_weight, in_proj_bias;
  Linear out_proj;
  std::int64_t width = 0, heads = 1;

  MultiheadAttention() = default;
  MultiheadAttention(Slot weight, Slot bias, Linear out, std::int64_t features, std::int64_t n_heads)
      : in_proj_weight(weight), in_proj_bias(bias), out_proj(out), width(features), heads(n_heads) {}

  /// Self-attention.
  Tensor operator()(const Call& c, const Tensor& x, const Tensor& mask = {}, bool causal = false) const {
    const Tensors qkv = chunk(linear(x, c.part(in_proj_weight), c.part(in_proj_bias)), 3, -1);
    return attend(c, qkv[0], qkv[1], qkv[2], mask, causal);
  }
  /// query [N, L, width]; key and value [N, S, width]. mask (added to the scores, or bool: true takes part) broadcasts
  /// to [N, heads, L, S].
  Tensor attention(const Call& c, const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask = {},
                   bool causal = false) const {
    const Tensors w = chunk(c.part(in_proj_weight), 3), b = chunk(c.part(in_proj_bias), 3);
    return attend(c, linear(query, w[0], b[0]), linear(key, w[1], b[1]), linear(value, w[2], b[2]), mask, causal);
  }

 private:
  Tensor attend(const Call& c, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                bool causal) const {
    const auto split_heads = [this](const Tensor& x) {
      return x.reshape({x.size(0), x.size(1), heads, width / heads}).transpose(1, 2);
    };
    const Tensor y = scaled_dot_product_attention(split_heads(q), split_heads(k), split_heads(v), mask, 0.0, causal);
    return out_proj(c, y.transpose(1, 2).reshape({q.size(0), q.size(1), width}));
  }
};

/// Acts in training only.
struct Dropout {
  double probability = 0.5;
  Tensor operator()(const Call& c, const Tensor& x) const {
    return c.training() && probability > 0 ? dropout(x, probability, true) : x;
  }
};

// ---- layers that belong together

/// Batch norm after a convolution. With frozen parts (a teacher, evaluation) both become one convolution, whose weights
/// are computed once, in float32 or finer; its results differ from the two steps by rounding only.
inline Tensor conv_bn(const Call& c, const Conv2d& conv, const BatchNorm2d& norm, const Tensor& x) {
  if (!c.frozen() || c.training()) return norm(c, conv(c, x));
  const std::array<Tensor, 2> folded = c.derived<2>(conv.weight.index, [&]() -> std::array<Tensor, 2> {
    const NoGrad off;
    const Tensor weight = at_least_float32(c.part(conv.weight));
    const Tensor mean = at_least_float32(c.part(norm.running_mean)), shift = at_least_float32(c.part(norm.bias));
    const Tensor scale =
        at_least_float32(c.part(norm.weight)) * rsqrt(at_least_float32(c.part(norm.running_var)) + norm.eps);
    const Tensor from = conv.bias ? at_least_float32(c.part(conv.bias)) - mean : -mean;
    const Dtype dtype = c.part(conv.weight).dtype();
    return {to(weight * scale.reshape({-1, 1, 1, 1}), dtype), to(shift + from * scale, dtype)};
  });
  return conv(x, folded[0], folded[1]);
}

/// The same with ReLU behind it, in place: what the convolution or norm returned belongs to nobody else. A model whose
/// tap wants the value before the activation calls conv_bn and relu.
inline Tensor conv_bn_relu(const Call& c, const Conv2d& conv, const BatchNorm2d& norm, const Tensor& x) {
  return relu_(conv_bn(c, conv, norm, x));
}

}  // namespace nn

// ---- how the builder makes them

inline nn::Linear Builder::linear(std::string_view name, std::int64_t in, std::int64_t out, bool bias) const {
  const Builder b = scope(name);
  const Init init = nn::detail::usual(static_cast<double>(in));
  nn::Linear l;
  l.weight = b.parameter("weight", {out, in}, init);
  if (bias) l.bias = b.parameter("bias", {out}, init, false);
  return l;
}

inline nn::Conv2d Builder::conv2d(std::string_view name, std::int64_t in, std::int64_t out, Pair kernel) const {
  return conv2d(name, in, out, kernel, nn::ConvOptions{});
}

inline nn::Conv2d Builder::conv2d(std::string_view name, std::int64_t in, std::int64_t out, Pair kernel,
                                  const nn::ConvOptions& options) const {
  if (options.groups < 1 || in % options.groups != 0 || out % options.groups != 0)
    throw std::invalid_argument("convolution '" + std::string(name) + "': " + std::to_string(options.groups) +
                                " groups do not divide " + std::to_string(in) + " input and " + std::to_string(out) +
                                " output channels");
  const Builder b = scope(name);
  const Shape weight{out, in / options.groups, kernel.list[0], kernel.list[1]};
  const Init usual = nn::detail::usual(nn::detail::fan(weight, 1));
  nn::Conv2d l;
  l.weight = b.parameter("weight", weight, options.init.value_or(usual));
  if (options.bias) l.bias = b.parameter("bias", {out}, usual, false);
  l.stride = options.stride;
  l.padding = options.padding;
  l.dilation = options.dilation;
  l.groups = options.groups;
  return l;
}

inline nn::ConvTranspose2d Builder::conv_transpose2d(std::string_view name, std::int64_t in, std::int64_t out,
                                                     Pair kernel, const nn::ConvOptions& options) const {
  if (options.groups < 1 || in % options.groups != 0 || out % options.groups != 0)
    throw std::invalid_argument("transposed convolution '" + std::string(name) +
                                "': " + std::to_string(options.groups) + " groups do not divide " + std::to_string(in) +
                                " input and " + std::to_string(out) + " output channels");
  const Builder b = scope(name);
  const Shape weight{in, out / options.groups, kernel.list[0], kernel.list[1]};
  const Init usual = nn::detail::usual(nn::detail::fan(weight, 1));
  nn::ConvTranspose2d l;
  l.weight = b.parameter("weight", weight, options.init.value_or(usual));
  if (options.bias) l.bias = b.parameter("bias", {out}, usual, false);
  l.stride = options.stride;
  l.padding = options.padding;
  l.output_padding = options.output_padding;
  l.dilation = options.dilation;
  l.groups = options.groups;
  return l;
}

inline nn::BatchNorm2d Builder::batch_norm2d(std::string_view name, std::int64_t channels, double eps,
                                             double momentum) const {
  const Builder b = scope(name);
  nn::BatchNorm2d l;
  l.weight = b.parameter("weight", {channels}, Init::ones(), false);
  l.bias = b.parameter("bias", {channels}, Init::zeros(), false);
  l.running_mean = b.buffer("running_mean", {channels}, Init::zeros());
  l.running_var = b.buffer("running_var", {channels}, Init::ones());
  l.num_batches_tracked = b.buffer("num_batches_tracked", {}, Init::zeros(), Dtype::i64);
  l.eps = eps;
  l.momentum = momentum;
  return l;
}

inline nn::LayerNorm Builder::layer_norm(std::string_view name, const Shape& shape, double eps) const {
  const Builder b = scope(name);
  nn::LayerNorm l;
  l.weight = b.parameter("weight", shape, Init::ones(), false);
  l.bias = b.parameter("bias", shape, Init::zeros(), false);
  l.shape = shape;
  l.eps = eps;
  return l;
}

inline nn::Embedding Builder::embedding(std::string_view name, std::int64_t count, std::int64_t dim) const {
  return {scope(name).parameter("weight", {count, dim}, Init::normal(0.0, 1.0))};
}

inline nn::Lstm Builder::lstm(std::string_view name, std::int64_t in, std::int64_t hidden, std::int64_t layers,
                              bool bidirectional) const {
  return {nn::detail::recurrent(scope(name), 4, in, hidden, layers, bidirectional)};
}

inline nn::Gru Builder::gru(std::string_view name, std::int64_t in, std::int64_t hidden, std::int64_t layers,
                            bool bidirectional) const {
  return {nn::detail::recurrent(scope(name), 3, in, hidden, layers, bidirectional)};
}

inline nn::MultiheadAttention Builder::attention(std::string_view name, std::int64_t width, std::int64_t heads) const {
  if (heads < 1 || width % heads != 0)
    throw std::invalid_argument("attention '" + std::string(name) + "': " + std::to_string(heads) +
                                " heads do not divide " + std::to_string(width) + " features");
  const Builder b = scope(name);
  const Slot weight = b.parameter("in_proj_weight", {3 * width, width}, nn::xavier_uniform({3 * width, width}));
  const Slot bias = b.parameter("in_proj_bias", {3 * width}, Init::zeros(), false);
  nn::Linear out;
  out.weight = b.parameter("out_proj.weight", {width, width}, nn::detail::usual(static_cast<double>(width)));
  out.bias = b.parameter("out_proj.bias", {width}, Init::zeros(), false);
  return {weight, bias, out, width, heads};
}

inline nn::Dropout Builder::dropout(double probability) const { return {probability}; }

}  // namespace v1
}  // namespace kdhost
