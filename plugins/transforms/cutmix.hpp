// SPDX-License-Identifier: MIT
// kdhost.cutmix: a box of every image is replaced by that of another image of the batch; labels are mixed by area.
#pragma once
#include "soft_labels.hpp"

namespace kdhost::plugins {

struct Cutmix final : Transform {
  static void describe(Spec& s) {
    s.id("kdhost.cutmix")
        .version("1.0.0")
        .summary("replaces a box of each image by another image's, and mixes the labels by area");
    s.mixes_samples();
    s.source("Yun et al. 2019, CutMix, arXiv 1905.04899, and the authors' code; one box a batch as there");
    s.details(
        "m ~ Beta(alpha, alpha); a box of floor(H r) x floor(W r) pixels, r = sqrt(1 - m), around a centre uniform "
        "over the\n"
        "image, cut off at the border, each half floor(side / 2) long, is taken from the partner. The label is\n"
        "m' y + (1 - m') y' with m' = 1 - box / (H W), y one-hot [N, C]. The partner is the batch rolled by a random "
        "distance.\n"
        "The label becomes floating point: use losses that take probabilities. Depends on how the data are cut into "
        "batches.");
    s.recipe("[[data.transform]]\nuse    = \"kdhost.cutmix\"\nparams = { alpha = 1.0, p = 0.5 }\n");
    s.number("alpha", 1.0)
        .above(0)
        .doc("1: box areas as uniform as they can be; small: very small or very large boxes")
        .schedulable();
    s.number("p", 1.0).range(0, 1).doc("probability of a batch to be mixed").schedulable();
    declare_images(s);
    declare_label(s);
  }
  Cutmix(const Params&, const Ports& ports, Builder&) : classes_(ports.facts().integer_or("classes", 0)) {}

  void apply(const Call& c) override {
    const Tensor x = images_of(c);
    const Tensor y = probabilities(c[kLabelPort], classes_, x);
    Stream stream = c.stream(0);
    const bool mixes = stream.uniform() < c.number("p");
    const std::int64_t roll_by = draw_roll(stream, x.size(0));
    const std::int64_t height = x.size(2), width = x.size(3);
    const std::int64_t cy = stream.integer(height), cx = stream.integer(width);
    const double side = std::sqrt(1.0 - beta_draw(stream, c.number("alpha")));
    if (!mixes) {
      c.emit(kLabel, y);
      return;
    }
    const std::int64_t half_h = static_cast<std::int64_t>(static_cast<double>(height) * side) / 2;
    const std::int64_t half_w = static_cast<std::int64_t>(static_cast<double>(width) * side) / 2;
    const std::int64_t top = std::max<std::int64_t>(cy - half_h, 0), bottom = std::min(cy + half_h, height);
    const std::int64_t left = std::max<std::int64_t>(cx - half_w, 0), right = std::min(cx + half_w, width);
    const Tensor row = row_numbers(x), column = column_numbers(x);
    c.emit(kInput, where((row >= top) & (row < bottom) & (column >= left) & (column < right), partners(x, roll_by), x));
    const double kept =
        1.0 - static_cast<double>((bottom - top) * (right - left)) / static_cast<double>(height * width);
    c.emit(kLabel, mixed(y, partners(y, roll_by), kept));
  }

 private:
  std::int64_t classes_;
};

}  // namespace kdhost::plugins
