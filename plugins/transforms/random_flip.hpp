// SPDX-License-Identifier: MIT
// kdhost.random_flip: mirrors some of the images.
#pragma once
#include "image_batch.hpp"

namespace kdhost::plugins {

struct RandomFlip final : Transform {
  static void describe(Spec& s) {
    s.id("kdhost.random_flip").version("1.0.0").summary("mirrors each image with some probability");
    s.source("torchvision's RandomHorizontalFlip and RandomVerticalFlip");
    s.details("Each sample decides for itself.");
    s.recipe("[[data.transform]]\nuse = \"kdhost.random_flip\"\n");
    s.number("p", 0.5).range(0, 1).doc("probability of each image to be mirrored").schedulable();
    s.choice("direction", {"horizontal", "vertical"}).doc("left and right change places, or top and bottom");
    declare_images(s);
  }

  void apply(const Call& c) override {
    const Tensor x = images_of(c);
    const double p = c.number("p");
    const std::vector<std::int64_t> mirror =
        draw_each(c, x.size(0), [p](Stream& s) -> std::int64_t { return s.uniform() < p ? 1 : 0; });
    const bool horizontal = c.text("direction") == "horizontal";
    const auto memory = pixel_memory(x);
    c.emit(kInput, memory ? mirrored_in_memory(x, *memory, mirror, horizontal)
                          : where(gt(as_column(mirror, x), 0), flip(x, {horizontal ? 3 : 2}), x));
  }

 private:
  static Tensor mirrored_in_memory(const Tensor& images, const PixelMemory& m, const std::vector<std::int64_t>& mirror,
                                   bool horizontal) {
    const Tensor result = empty_as(images, m);
    const float* in = images.data<float>();
    float* out = result.mutable_data<float>();
    parallel_for(m.samples, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        const bool turn = mirror[static_cast<std::size_t>(n)] != 0;
        for (std::int64_t row = 0; row < m.rows(); ++row) {
          const std::int64_t y = row % m.height;
          const std::int64_t source = turn && !horizontal ? row - y + (m.height - 1 - y) : row;
          const float* from = in + (n * m.rows() + source) * m.row();
          float* to = out + (n * m.rows() + row) * m.row();
          if (!turn || !horizontal) {
            std::copy(from, from + m.row(), to);
          } else if (m.pixel == 1) {
            std::reverse_copy(from, from + m.row(), to);
          } else {
            for (std::int64_t x = 0; x < m.width; ++x)
              std::copy(from + (m.width - 1 - x) * m.pixel, from + (m.width - x) * m.pixel, to + x * m.pixel);
          }
        }
      }
    });
    return result;
  }
};

}  // namespace kdhost::plugins
