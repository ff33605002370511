// SPDX-License-Identifier: MIT
// kdhost.cutout: blots out a square of each image.
#pragma once
#include "image_batch.hpp"

namespace kdhost::plugins {

struct Cutout final : Transform {
  static void describe(Spec& s) {
    s.id("kdhost.cutout").version("1.0.0").summary("blots out a square of each image at a random place");
    s.source("DeVries, Taylor 2017, Improved regularization with cutout, arXiv 1708.04552, and the authors' code");
    s.details(
        "The centre is uniform over the pixels of the image, each sample has its own; the square reaches from\n"
        "centre - floor(size / 2) to that plus size and is cut off at the border, so its visible part may be smaller.");
    s.recipe("[[data.transform]]\nuse    = \"kdhost.cutout\"\nparams = { size = 16 }\n");
    s.integer("size", 16).range(0, 4096).doc("side of the square in pixels").schedulable();
    s.number("fill", 0.0).doc("value of the square, as the image is when the transform sees it").schedulable();
    declare_images(s);
  }

  void apply(const Call& c) override {
    const Tensor x = images_of(c);
    const std::int64_t height = x.size(2), width = x.size(3), size = c.integer("size");
    std::vector<std::int64_t> top, left;
    for (std::int64_t i = 0; i < x.size(0); ++i) {
      Stream stream = c.stream(i);
      top.push_back(stream.integer(height) - size / 2);
      left.push_back(stream.integer(width) - size / 2);
    }
    const auto memory = pixel_memory(x);
    c.emit(kInput, memory ? cut_in_memory(x, *memory, top, left, size, c.number("fill"))
                          : cut_by_operators(x, top, left, size, c.number("fill")));
  }

 private:
  static Tensor cut_by_operators(const Tensor& x, const std::vector<std::int64_t>& top,
                                 const std::vector<std::int64_t>& left, std::int64_t size, double fill) {
    const Tensor row = row_numbers(x) - as_column(top, x), column = column_numbers(x) - as_column(left, x);
    return where((row >= 0) & (row < size) & (column >= 0) & (column < size), fill, x);
  }

  static Tensor cut_in_memory(const Tensor& x, const PixelMemory& m, const std::vector<std::int64_t>& top,
                              const std::vector<std::int64_t>& left, std::int64_t size, double fill) {
    const Tensor result = empty_as(x, m);
    const float* in = x.data<float>();
    float* out = result.mutable_data<float>();
    const auto value = static_cast<float>(fill);
    parallel_for(m.samples, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        const std::int64_t y = top[static_cast<std::size_t>(n)], from = left[static_cast<std::size_t>(n)];
        const std::int64_t first = std::clamp<std::int64_t>(from, 0, m.width) * m.pixel;
        const std::int64_t last = std::clamp<std::int64_t>(from + size, 0, m.width) * m.pixel;
        const std::int64_t image = m.rows() * m.row();
        std::copy(in + n * image, in + (n + 1) * image, out + n * image);
        for (std::int64_t plane = 0; plane < m.planes; ++plane)
          for (std::int64_t row = std::max<std::int64_t>(y, 0); row < std::min(y + size, m.height); ++row) {
            float* to = out + n * image + (plane * m.height + row) * m.row();
            std::fill(to + first, to + last, value);
          }
      }
    });
    return result;
  }
};

}  // namespace kdhost::plugins
