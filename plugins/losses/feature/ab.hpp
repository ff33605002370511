// SPDX-License-Identifier: MIT
//
// kdhost.ab: activation boundaries, on which side of zero each neuron is.   Heo, Lee, Yun, Choi, AAAI 2019, arXiv
// 1811.03233
//
//   per tap, on maps before their ReLU:  sum((s + m)^2 where s > -m and t <= 0, (s - m)^2 where s <= m and t > 0) / N
//
// Variants  "repdistiller" (default): x 3/1000 x 2^(i - L + 1) for tap i of L. "torchdistill": neither factor.
//           MMRazor is "repdistiller" with the layer weights in its config.
// Adaptor   nothing for equal shapes, else FitNet's regressor without ReLU.
// Published as a first stage with this loss alone (30 epochs), then cross-entropy only.
#pragma once
#include "adaptors.hpp"

namespace kdhost::plugins {

struct ActivationBoundaries final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.ab").version("1.0.0").summary("activation boundaries: which neurons are on, before the ReLU");
    s.source(
        "Heo, Lee, Yun, Choi, Knowledge Transfer via Distillation of Activation Boundaries Formed by Hidden Neurons, "
        "AAAI 2019, arXiv 1811.03233; default = RepDistiller");
    s.details(
        "On maps before their ReLU: sum of (s + m)^2 where s > -m and t <= 0, and of (s - m)^2 where s <= m and t > "
        "0, divided by N. variant = \"repdistiller\" multiplies by 3/1000 and by 2^(i - L + 1) for tap i of L; "
        "\"torchdistill\" by nothing (333 times larger for the last tap). adaptor = \"auto\" trains FitNet's "
        "regressor without ReLU where shapes differ. Not 0 at equality: neurons within the margin count. Several taps: "
        "reports what each adds (tap.0 ...). Published "
        "as a first [[stage]] with this loss alone.");
    s.recipe(
        "[[stage]]\nname = \"boundaries\"\nepochs = 30\n[[stage.loss]]\nuse = \"kdhost.ab\"\n"
        "inputs = { student = [\"layer1.pre\", \"layer2.pre\", \"layer3.pre\"], teacher = [\"layer1.pre\", "
        "\"layer2.pre\", \"layer3.pre\"] }\n\n"
        "[[stage]]\nname = \"labels\"\nepochs = 210\n[[stage.loss]]\nuse = \"kdhost.cross_entropy\"\n");
    s.number("margin", 1.0).above(0.0).doc("m: how far from zero a neuron shall be").schedulable();
    s.choice("variant", {"repdistiller", "torchdistill"}).doc("with or without 3/1000 and the weights of the taps");
    s.choice("adaptor", {"auto", "none"}).doc("auto: a trained regressor where shapes differ; none: they must agree");
    s.inputs("student.features").doc("maps [N, C, H, W] before their ReLU");
    s.inputs("teacher.features").doc("as many, in the same order, before their ReLU");
  }

  ActivationBoundaries(const Params& p, const Ports& ports, Builder& b)
      : weighted_(p.text("variant") == "repdistiller") {
    if (p.text("adaptor") == "none") return;
    for (std::size_t i = 0; i < bound_pairs(ports); ++i) {
      std::optional<SizeRegressor>& connector = connectors_.emplace_back();
      if (!map_sizes(ports, i).equal()) connector = size_regressor(ports, i, b.scope("connector" + std::to_string(i)));
    }
  }

  Tensor compute(const Call& c) override {
    const double margin = c.number("margin");
    const std::vector<TapPair> taps = tap_pairs(c);
    Tensor sum;
    for (TapPair p : taps) {
      need_maps(p);
      if (p.index < connectors_.size() && connectors_[p.index]) p.student = (*connectors_[p.index])(c, p.student);
      need_equal_shapes(p, "; set adaptor = \"auto\"");
      // (s - m)^2 where s <= m, (s + m)^2 where s > -m: both are max(0, m -+ s)^2, the sign by what the teacher is.
      const Tensor towards = where(p.teacher > 0.0, -1.0, 1.0);
      const Tensor missing = relu(p.student * towards + margin);
      Tensor value = square(missing).sum() / static_cast<double>(p.student.size(0));
      if (weighted_)
        value = value * std::ldexp(3.0 / 1000.0, static_cast<int>(p.index + 1) - static_cast<int>(taps.size()));
      report_tap(c, taps.size(), p.index, value);
      accumulate(sum, value);
    }
    return sum;
  }

 private:
  bool weighted_;
  std::vector<std::optional<SizeRegressor>> connectors_;
};

}  // namespace kdhost::plugins
