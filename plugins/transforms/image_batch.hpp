// SPDX-License-Identifier: MIT
//
// What the shipped transforms share: the batch of images they get, and numbers drawn for each sample. A transform
// changes a batch on its device (step 4 in the life of a batch) with operators; float32 images in CPU memory are copied
// directly, with the same result bit for bit. The layout (channels last or not) stays as it is.
#pragma once
#include <kdhost/plugin.hpp>

#include <algorithm>
#include <optional>

namespace kdhost::plugins {

// The ports, and the fields of the batch that are emitted.
inline constexpr const char* kInputPort = "batch.input";
inline constexpr const char* kLabelPort = "batch.label";
inline constexpr const char* kInput = "input";
inline constexpr const char* kLabel = "label";

inline void declare_images(Spec& s) { s.input(kInputPort).doc("[N, C, H, W] images, floating point"); }

/// The batch's images; refuses anything but [N, C, H, W] in floating point.
inline Tensor images_of(const Call& c) {
  const Tensor x = c[kInputPort];
  if (x.dim() == 4 && is_floating(x.dtype())) return x;
  throw std::invalid_argument(
      std::string("'") + kInputPort + "' is " + to_string(x.shape()) + " " + name_of(x.dtype()) +
      ", expected images [N, C, H, W] in floating point. Use a data set of images, or leave this "
      "transform out.");
}

/// How float32 images lie in CPU memory: N images of `planes` planes of rows of `width` pixels of `pixel` numbers. One
/// plane a channel, or, channels last, one plane with all channels of a pixel side by side.
struct PixelMemory {
  std::int64_t samples = 0, planes = 0, height = 0, width = 0, pixel = 0;
  std::int64_t row() const { return width * pixel; }
  std::int64_t rows() const { return planes * height; }  ///< of one image
};

inline bool is_channels_last(const Tensor& x) {
  const Shape sizes = x.shape(), strides = x.strides();
  std::int64_t expected = 1;
  for (const std::size_t d : {1u, 3u, 2u, 0u}) {
    if (sizes[d] != 1 && strides[d] != expected) return false;
    expected *= sizes[d];
  }
  return true;
}

/// Nothing where memory cannot be copied directly: another device, element type or layout.
inline std::optional<PixelMemory> pixel_memory(const Tensor& x) {
  if (!x.on_cpu() || x.dtype() != Dtype::f32) return {};
  const Shape s = x.shape();
  if (x.is_contiguous()) return PixelMemory{s[0], s[1], s[2], s[3], 1};
  if (is_channels_last(x)) return PixelMemory{s[0], 1, s[2], s[3], s[1]};
  return {};
}

/// A new tensor of the same shape and layout.
inline Tensor empty_as(const Tensor& x, const PixelMemory& m) {
  if (m.pixel == 1) return Tensor::empty(x.shape(), Dtype::f32, x);
  return Tensor::empty({m.samples, m.height, m.width, m.pixel}, Dtype::f32, x).permute({0, 3, 1, 2});
}

/// draw(stream of sample i) for each sample of the batch.
template <class F>
std::vector<std::int64_t> draw_each(const Call& c, std::int64_t samples, F draw) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(samples));
  for (std::int64_t i = 0; i < samples; ++i) {
    Stream stream = c.stream(i);
    values[static_cast<std::size_t>(i)] = draw(stream);
  }
  return values;
}

/// One number a sample as a tensor [N, 1, 1, 1] on the images' device.
inline Tensor as_column(const std::vector<std::int64_t>& values, const Tensor& x) {
  return Tensor::of(values, {static_cast<std::int64_t>(values.size()), 1, 1, 1}, x);
}

/// 0, 1, ... as [1, 1, H, 1] and [1, 1, 1, W].
inline Tensor row_numbers(const Tensor& x) { return arange(x.size(2), Dtype::i64, x).reshape({1, 1, -1, 1}); }
inline Tensor column_numbers(const Tensor& x) { return arange(x.size(3), Dtype::i64, x); }

}  // namespace kdhost::plugins
