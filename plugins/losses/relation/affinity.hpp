// SPDX-License-Identifier: MIT
//
// kdhost.affinity: which positions of a map look alike.                      Liu et al., CVPR 2019, arXiv 1903.04197
//
//   x_p = f_p / (|f_p| + 1e-8) at each position p, over the channels;  A = x^T x, [P, P] of one sample
//   L   = sum over taps of the mean over N*P^2 of (A_s - A_t)^2
//
// The "pair-wise" part of Structured Knowledge Distillation for Semantic Segmentation; also the affinity module of He
// et al., Knowledge Adaptation, CVPR 2019. Maps are max-pooled first by windows of `window` times their height and
// width (rounded down, at least 1; a window that sticks out counts what lies inside): 0.5 leaves 2 x 2 positions, 0 all
// of them. Channels may differ; of maps of unequal size the larger is average-pooled to the smaller. Variants  "author"
// (default): no gradient through the norms, as in the published code. "full": through them, too. The
//           value is the same.
// Entry in the form of the project's specification of losses; that has none of its own. Golden values are our own
// computation of the published formula.
#pragma once
#include "product_difference.hpp"

namespace kdhost::plugins {

struct Affinity final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.affinity").version("1.0.0").summary("affinity: which positions of a map look alike");
    s.source(
        "Liu et al., Structured Knowledge Distillation for Semantic Segmentation (pair-wise part), CVPR 2019, "
        "arXiv 1903.04197; golden value our own computation of the formula");
    s.details(
        "x = f / (|f| + 1e-8) at each position, A = x^T x; mean over N*P^2 of (A_s - A_t)^2 for P positions, summed "
        "over taps. Maps are first max-pooled by windows of `window` times height and width (0: not pooled). variant = "
        "\"author\": no gradient through the norms, as published; \"full\": through them, too; the value is the same. "
        "Channels may differ. The gradient can be taken once only. The values in the tests are our own computation of "
        "the published formula.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.affinity\"\nweight = 0.5\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    s.number("window", 0.5).range(0.0, 1.0).doc("pooling window as a share of the map; 0: every position for itself");
    s.choice("variant", {"author", "full"}).doc("gradient beside the norms, or through them");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order; channels may differ");
  }

  explicit Affinity(const Params& p) : window_(p.number("window")), through_norm_(p.text("variant") == "full") {}

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (TapPair& p : tap_pairs(c)) {
      need_maps(p);
      pool_to_smaller(p.student, p.teacher);
      sum.add(product_difference("kdhost.affinity", {directions(p.student), directions(p.teacher)}));
    }
    return sum.value();
  }

 private:
  /// [N, C, P]: the places of the pooled map, each of length 1.
  Tensor directions(const Tensor& map) const {
    const auto extent = [&](std::int64_t size) {
      return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(size) * window_));
    };
    const std::int64_t height = extent(map.size(2)), width = extent(map.size(3));
    Tensor f = map;
    if (height > 1 || width > 1) f = max_pool2d(f, {height, width}, 0, 0, 1, /*ceil_mode=*/true);
    f = f.flatten(2);
    if (through_norm_) return f / (vector_norm(f, 2, 1, true) + 1e-8);
    Tensor norm;
    {
      const NoGrad off;  // so the root needs no gradient where it is 0, and the sum of squares is the faster way
      norm = sqrt(square(f).sum({1}, true)) + 1e-8;
    }
    return f / norm;
  }

  double window_;
  bool through_norm_;
};

}  // namespace kdhost::plugins
