// SPDX-License-Identifier: MIT
//
// What every shipped model asks of its surroundings: the number of classes, the size of its input, and a few steps that
// several networks share.
#pragma once
#include <kdhost/plugin.hpp>

#include <string>
#include <vector>

namespace kdhost::plugins {

inline void describe_classes(Spec& s) {
  s.integer("classes").at_least(1).doc("outputs; absent: the classes of the data set");
}

inline std::int64_t classes_of(const Params& p, const Ports& ports) {
  return p.has("classes") ? p.integer("classes") : ports.classes();
}

/// Channels, height and width of the images at 'batch.input'.
struct ImageSize {
  std::int64_t channels, height, width;
};

inline ImageSize image_size(const Ports& ports, std::int64_t smallest) {
  const Shape s = ports.shape("batch.input");
  if (s.size() != 4)
    throw std::invalid_argument("'batch.input' is " + to_string(s) + ", expected images [N, channels, height, width]");
  const ImageSize size{ports.size("batch.input", 1), ports.size("batch.input", 2), ports.size("batch.input", 3)};
  if (size.height < smallest || size.width < smallest)
    throw std::invalid_argument("'batch.input' is " + to_string(s) + ", expected images of at least " +
                                std::to_string(smallest) + " x " + std::to_string(smallest) + " pixels");
  return size;
}

/// A 3x3 convolution that keeps the size (divided by the stride).
inline nn::ConvOptions same_size(std::int64_t stride, bool bias, std::optional<Init> init = {}) {
  nn::ConvOptions o;
  o.stride = stride;
  o.padding = 1;
  o.bias = bias;
  o.init = std::move(init);
  return o;
}

/// A linear layer with an initialisation of its own.
inline nn::Linear linear_layer(const Builder& b, std::string_view name, std::int64_t in, std::int64_t out,
                               const Init& weight, const Init& bias) {
  const Builder scope = b.scope(name);
  nn::Linear l;
  l.weight = scope.parameter("weight", {out, in}, weight);
  l.bias = scope.parameter("bias", {out}, bias, false);
  return l;
}

/// What PyTorch gives the bias of a linear layer.
inline Init usual_bias(std::int64_t in) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(in));
  return Init::uniform(-bound, bound);
}

/// [N, C, H, W] to the mean of each channel, [N, C].
inline Tensor global_average(const Tensor& x) { return x.mean({2, 3}); }

}  // namespace kdhost::plugins
