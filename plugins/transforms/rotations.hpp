// SPDX-License-Identifier: MIT
// kdhost.rotations: each image turned by quarters, as further views of it; the self-supervised task of Gidaris et al.,
// by which kdhost.sskd compares teacher and student.
#pragma once
#include "new_field.hpp"

namespace kdhost::plugins {

struct Rotations final : Transform {
  static void describe(Spec& s) {
    s.id("kdhost.rotations").version("1.0.0").summary("adds each image turned by 0, 90, 180 and 270 degrees").fixed();
    s.source(
        "Gidaris, Singh, Komodakis, Unsupervised Representation Learning by Predicting Image Rotations, ICLR 2018, "
        "arXiv 1803.07728");
    s.details(
        "The field `name` is [N, 4, C, H, W]: the image, then turned counter-clockwise once, twice and three times. A "
        "tap\n"
        "with that name behind it, as in \"embedding@rotations\", is that of a forward on 4 N images, those of one "
        "sample side\n"
        "by side. Images must be square.");
    s.recipe("[[data.transform]]\nuse = \"kdhost.rotations\"\non  = \"train\"\n");
    declare_new_field(s, "rotations");
    declare_images(s);
  }
  explicit Rotations(const Params& p) : name_(new_field(p)) {}

  void apply(const Call& c) override {
    const Tensor x = images_of(c);
    if (x.size(2) != x.size(3))
      throw std::invalid_argument(std::string("'") + kInputPort + "' is " + to_string(x.shape()) +
                                  ", expected square images, which keep their shape when they are turned");
    const Tensor turned = x.transpose(2, 3);
    c.emit(name_, stack({x, flip(turned, {2}), flip(x, {2, 3}), flip(turned, {3})}, 1));
  }

 private:
  std::string name_;
};

}  // namespace kdhost::plugins
