// SPDX-License-Identifier: MIT
//
// kdhost.vid: variational information distillation.                           Ahn et al., CVPR 2019, arXiv 1904.05835
//
//   v_c = log(1 + e^alpha_c) + eps, one trained variance for each of the teacher's channels
//   L   = sum over taps of mean((mu - f_t)^2 / v_c + log v_c) / 2,   mu = A(f_s)
//
// Adaptor   conv 1x1 (C_s to C_t), ReLU, conv 1x1, ReLU, conv 1x1, all without bias; "none": mu = f_s.
// Trained   the adaptor and alpha, which starts so that v is exactly init_variance. In mdistiller the variances lie in
//           a plain list and are never trained.
// Default = RepDistiller; no log 2 pi. The larger map is pooled to the smaller. At equality the value is (log v) / 2.
#pragma once
#include "adaptors.hpp"

namespace kdhost::plugins {

struct VariationalInformation final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.vid").version("1.0.0").summary("variational information: the teacher's map with a learned variance");
    s.source(
        "Ahn et al., Variational Information Distillation for Knowledge Transfer, CVPR 2019, arXiv 1904.05835; "
        "default = RepDistiller");
    s.details(
        "mean((mu - f_t)^2 / v_c + log v_c) / 2, summed over taps; v_c = log(1 + e^alpha_c) + eps is trained for each "
        "channel of the teacher. adaptor = \"auto\" makes mu by three 1x1 convolutions (no bias) with ReLU between; "
        "\"none\": mu = f_s. The larger map is average-pooled to the smaller one. Not 0 at equality: (log v) / 2. "
        "Reports the sub-terms error and log_variance, each with its half.\n"
        "Trained: adaptors and variances.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.vid\"\nweight = 1.0\n"
        "inputs = { student = [\"layer1\", \"layer2\", \"layer3\"], teacher = [\"layer1\", \"layer2\", \"layer3\"] "
        "}\n");
    s.number("init_variance", 5.0).above(0.0).doc("variance before training");
    s.number("eps", 1e-5).at_least(0.0).doc("smallest variance");
    s.choice("adaptor", {"auto", "none"}).doc("auto: three trained 1x1 convolutions; none: channels must agree");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order");
  }

  VariationalInformation(const Params& p, const Ports& ports, Builder& b) : eps_(p.number("eps")) {
    const double above = p.number("init_variance") - eps_;
    if (above <= 0)
      throw std::invalid_argument("init_variance is " + std::to_string(p.number("init_variance")) + " and eps is " +
                                  std::to_string(eps_) + ", expected an init_variance above eps; raise init_variance");
    // log(e^x - 1) without overflow.
    const Init alpha = Init::constant(above + std::log1p(-std::exp(-above)));
    const bool adapts = p.text("adaptor") == "auto";
    nn::ConvOptions plain;
    plain.bias = false;
    for (std::size_t i = 0; i < bound_pairs(ports); ++i) {
      const MapChannels ch = map_channels(ports, i);
      const Builder tap = b.scope("tap" + std::to_string(i));
      Tap made;
      made.alpha = tap.parameter("alpha", {ch.teacher}, alpha, false);
      if (adapts) {
        made.first = tap.conv2d("conv1", ch.student, ch.teacher, 1, plain);
        made.second = tap.conv2d("conv2", ch.teacher, ch.teacher, 1, plain);
        made.third = tap.conv2d("conv3", ch.teacher, ch.teacher, 1, plain);
      }
      made.adapts = adapts;
      taps_.push_back(std::move(made));
    }
  }

  Tensor compute(const Call& c) override {
    Tensor error, spread;
    for (TapPair& p : tap_pairs(c)) {
      need_maps(p);
      pool_to_smaller(p.student, p.teacher);
      const Tap& tap = taps_[p.index];
      if (tap.adapts)
        p.student = tap.third(c, relu(tap.second(c, relu(tap.first(c, p.student)))));
      else
        need_equal_channels(p, "; set adaptor = \"auto\"");
      const Tensor alpha = c.part(tap.alpha);
      const Tensor variance = logaddexp(alpha, zeros_like(alpha)) + eps_;
      const Tensor squares = square(p.student - p.teacher).mean({0, 2, 3});  // of each channel
      accumulate(error, (squares / variance).mean() * 0.5);
      accumulate(spread, log(variance).mean() * 0.5);
    }
    c.report("error", error);
    c.report("log_variance", spread);
    return error + spread;
  }

 private:
  struct Tap {
    bool adapts = false;
    Slot alpha{};
    nn::Conv2d first{}, second{}, third{};
  };

  double eps_;
  std::vector<Tap> taps_;
};

}  // namespace kdhost::plugins
