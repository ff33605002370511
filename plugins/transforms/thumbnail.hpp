// SPDX-License-Identifier: MIT
// kdhost.thumbnail: a small copy of each image as numbers, for a second task beside the classes: to say what the image
// looks like.
#pragma once
#include "new_field.hpp"

namespace kdhost::plugins {

struct Thumbnail final : Transform {
  static void describe(Spec& s) {
    s.id("kdhost.thumbnail").version("1.0.0").summary("adds a small copy of each image as numbers to predict").fixed();
    s.source("our own definition");
    s.details(
        "The field `name` is [N, C size^2]: the mean of each cell of a grid of size x size cells, row by row. A label "
        "for a\n"
        "term of a second task, such as kdhost.mse on a tap of as many numbers.");
    s.recipe("[[data.transform]]\nuse    = \"kdhost.thumbnail\"\non     = \"train\"\nparams = { size = 7 }\n");
    s.integer("size", 7).at_least(1).doc("cells in a row and in a column");
    declare_new_field(s, "thumbnail");
    declare_images(s);
  }
  explicit Thumbnail(const Params& p) : name_(new_field(p)), size_(p.integer("size")) {}

  void apply(const Call& c) override {
    const Tensor x = images_of(c);
    if (size_ > x.size(2) || size_ > x.size(3))
      throw std::invalid_argument("parameter 'size' is " + std::to_string(size_) + ", expected at most " +
                                  std::to_string(std::min(x.size(2), x.size(3))) + ", the side of the images");
    c.emit(name_, adaptive_avg_pool2d(x, size_).flatten(1));
  }

 private:
  std::string name_;
  std::int64_t size_;
};

}  // namespace kdhost::plugins
