// SPDX-License-Identifier: MIT
//
// kdhost.mgd: masked generative distillation.                                 Yang et al., ECCV 2022, arXiv 2205.01529
//
//   g = G(mask * A(f_s));   "mmrazor" (default): alpha sum (g - f_t)^2 / N;  "modelopt": mean((g - f_t)^2)
//   summed over taps
//
// Adaptor   A: conv 1x1 to the teacher's channels where they differ; mask: 0 with probability mask_ratio, one draw for
//           a sample and position, shared by the channels; G: conv 3x3, ReLU, conv 3x3. "none": g = f_s, no mask.
// The mask comes from the run's random stream of this term, so a resumed run draws the same ones. Sizes must be equal.
#pragma once
#include "../squared_difference.hpp"
#include "adaptors.hpp"

namespace kdhost::plugins {

struct MaskedGenerative final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.mgd").version("1.0.0").summary("masked generative: the teacher's map from a part of the student's");
    s.source("Yang et al., Masked Generative Distillation, ECCV 2022, arXiv 2205.01529; default = MMRazor");
    s.details(
        "g = G(mask * A(f_s)), A a 1x1 convolution where channels differ, mask 0 with probability mask_ratio per "
        "sample and position, G two 3x3 convolutions with ReLU between. variant = \"mmrazor\": alpha sum (g - f_t)^2 "
        "/ N; \"modelopt\": mean((g - f_t)^2), without alpha. Summed over taps. adaptor = \"none\": g = f_s, no mask. "
        "Sizes must be equal.\n"
        "Trained: generators.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.mgd\"\nweight = 1.0\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    s.number("alpha", 2e-5).at_least(0.0).doc("factor of variant mmrazor").schedulable();
    s.number("mask_ratio", 0.65).range(0.0, 1.0).doc("share of the positions that are removed").schedulable();
    s.choice("variant", {"mmrazor", "modelopt"}).doc("whose reduction");
    s.choice("adaptor", {"auto", "none"}).doc("auto: a trained generator behind a mask; none: shapes must agree");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order and of the same sizes");
  }

  MaskedGenerative(const Params& p, const Ports& ports, Builder& b) : mean_(p.text("variant") == "modelopt") {
    if (p.text("adaptor") == "none") return;
    nn::ConvOptions same_size;
    same_size.padding = 1;
    for (std::size_t i = 0; i < bound_pairs(ports); ++i) {
      const MapChannels ch = map_channels(ports, i);
      const Builder tap = b.scope("tap" + std::to_string(i));
      Layers made;
      if (ch.student != ch.teacher) made.align = tap.conv2d("align", ch.student, ch.teacher, 1);
      made.first = tap.conv2d("generator.conv1", ch.teacher, ch.teacher, 3, same_size);
      made.second = tap.conv2d("generator.conv2", ch.teacher, ch.teacher, 3, same_size);
      generators_.push_back(std::move(made));
    }
  }

  Tensor compute(const Call& c) override {
    const double alpha = c.number("alpha"), ratio = c.number("mask_ratio");
    TapSum sum(c);
    for (TapPair& p : tap_pairs(c)) {
      need_maps(p);
      if (p.index < generators_.size()) {
        const Layers& g = generators_[p.index];
        if (g.align) p.student = (*g.align)(c, p.student);
        const Tensor draw =
            rand({p.student.size(0), 1, p.student.size(2), p.student.size(3)}, c.generator(), Dtype::f32, p.student);
        p.student = g.second(c, relu(g.first(c, p.student * to(draw >= ratio, p.student.dtype()))));
      }
      need_equal_shapes(p, generators_.empty() ? "; set adaptor = \"auto\" where channels differ"
                                               : " but for the channels: choose other taps");
      if (mean_)
        sum.add(squared_difference(p.student, p.teacher));
      else
        sum.add(squared_difference(p.student, p.teacher, Reduction::sum) *
                (alpha / static_cast<double>(p.student.size(0))));
    }
    return sum.value();
  }

 private:
  struct Layers {
    std::optional<nn::Conv2d> align{};
    nn::Conv2d first{}, second{};
  };

  bool mean_;
  std::vector<Layers> generators_;
};

}  // namespace kdhost::plugins
