// SPDX-License-Identifier: MIT
// kdhost.random_crop: pads each image and cuts a window of the old size out of it, the usual augmentation of small
// images.
#pragma once
#include "moved_images.hpp"

namespace kdhost::plugins {

struct RandomCrop final : Transform {
  static void describe(Spec& s) {
    s.id("kdhost.random_crop")
        .version("1.0.0")
        .summary("pads each image, then cuts a window of the old size at random");
    s.source(
        "Lee et al. 2015, Deeply-supervised nets, and He et al. 2016: pad by 4 and crop; torchvision's "
        "RandomCrop(padding)");
    s.details("Each sample is cut at its own place, rows and columns uniform over the 2 padding + 1 possible ones.");
    s.recipe("[[data.transform]]\nuse    = \"kdhost.random_crop\"\nparams = { padding = 4 }\n");
    s.integer("padding", 4).range(0, 4096).doc("pixels added on every side").schedulable();
    s.number("fill", 0.0).doc("value of the added pixels, as the image is when the transform sees it").schedulable();
    declare_images(s);
  }
  void apply(const Call& c) override {
    const Tensor x = images_of(c);
    const std::int64_t padding = c.integer("padding");
    c.emit(kInput, moved(x, draw_offsets(c, x.size(0), padding), padding, c.number("fill")));
  }
};

}  // namespace kdhost::plugins
