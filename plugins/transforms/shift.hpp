// SPDX-License-Identifier: MIT
// kdhost.shift: moves each image by a few pixels, with zeros where nothing moves in; Hinton's "jitter" for MNIST.
#pragma once
#include "moved_images.hpp"

namespace kdhost::plugins {

struct Shift final : Transform {
  static void describe(Spec& s) {
    s.id("kdhost.shift").version("1.0.0").summary("moves each image by up to some pixels in both directions (jitter)");
    s.source("Hinton, Vinyals, Dean 2015, arXiv 1503.02531, section 3: input images jittered by up to two pixels");
    s.details(
        "Each sample moves by its own whole numbers of rows and columns, uniform in -pixels..pixels; zeros move in.");
    s.recipe("[[data.transform]]\nuse    = \"kdhost.shift\"\nparams = { pixels = 2 }\n");
    s.integer("pixels", 2).range(0, 4096).doc("largest move in each direction").schedulable();
    declare_images(s);
  }
  void apply(const Call& c) override {
    const Tensor x = images_of(c);
    const std::int64_t pixels = c.integer("pixels");
    c.emit(kInput, moved(x, draw_offsets(c, x.size(0), pixels), pixels, 0.0));
  }
};

}  // namespace kdhost::plugins
