// SPDX-License-Identifier: MIT
//
// Images moved by whole pixels, each by its own amount, with a constant where nothing moves in: what pad-and-crop and
// jitter are. Used by kdhost.random_crop and kdhost.shift.
#pragma once
#include "image_batch.hpp"

namespace kdhost::plugins {

/// Offsets of each sample into the image padded by `most` on every side, in [0, 2 most]; `most` itself moves nothing.
struct Offsets {
  std::vector<std::int64_t> y, x;
};

inline Offsets draw_offsets(const Call& c, std::int64_t samples, std::int64_t most) {
  Offsets o;
  for (std::int64_t i = 0; i < samples; ++i) {
    Stream stream = c.stream(i);
    o.y.push_back(stream.integer(2 * most + 1));
    o.x.push_back(stream.integer(2 * most + 1));
  }
  return o;
}

/// By operators, on any device and in any layout: pads, then gathers every pixel of the batch at once.
inline Tensor moved_by_operators(const Tensor& images, const Offsets& o, std::int64_t most, double fill) {
  const Shape s = images.shape();
  const std::int64_t channels = s[1], pixels = s[2] * s[3];
  const Tensor padded = pad(images, {most, most, most, most}, "constant", fill);
  const Tensor from = (row_numbers(images) + as_column(o.y, images)) * (s[3] + 2 * most) +
                      (column_numbers(images) + as_column(o.x, images));
  if (!images.is_contiguous() && is_channels_last(images)) {
    const Tensor index = from.reshape({s[0], pixels, 1}).expand({s[0], pixels, channels});
    const Tensor rows = padded.permute({0, 2, 3, 1}).reshape({s[0], -1, channels});
    return rows.gather(1, index).reshape({s[0], s[2], s[3], channels}).permute({0, 3, 1, 2});
  }
  const Tensor index = from.reshape({s[0], 1, pixels}).expand({s[0], channels, pixels});
  return padded.reshape({s[0], channels, -1}).gather(2, index).reshape(s);
}

/// By copying rows.
inline Tensor moved_in_memory(const Tensor& images, const PixelMemory& m, const Offsets& o, std::int64_t most,
                              double fill) {
  const Tensor result = empty_as(images, m);
  const float* in = images.data<float>();
  float* out = result.mutable_data<float>();
  const auto value = static_cast<float>(fill);
  parallel_for(m.samples, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const std::int64_t dy = o.y[static_cast<std::size_t>(n)] - most, dx = o.x[static_cast<std::size_t>(n)] - most;
      const std::int64_t first = std::clamp<std::int64_t>(-dx, 0, m.width) * m.pixel;
      const std::int64_t last = std::clamp<std::int64_t>(m.width - dx, 0, m.width) * m.pixel;
      for (std::int64_t row = 0; row < m.rows(); ++row) {
        const std::int64_t y = row % m.height + dy;
        float* to = out + (n * m.rows() + row) * m.row();
        if (y < 0 || y >= m.height || first >= last) {
          std::fill(to, to + m.row(), value);
          continue;
        }
        // Pixel x of the result is pixel x + dx of the row that is dy further down.
        const float* from = in + (n * m.rows() + row + dy) * m.row() + (first + dx * m.pixel);
        std::fill(to, to + first, value);
        std::copy(from, from + (last - first), to + first);
        std::fill(to + last, to + m.row(), value);
      }
    }
  });
  return result;
}

inline Tensor moved(const Tensor& images, const Offsets& o, std::int64_t most, double fill) {
  const auto memory = pixel_memory(images);
  return memory ? moved_in_memory(images, *memory, o, most, fill) : moved_by_operators(images, o, most, fill);
}

}  // namespace kdhost::plugins
