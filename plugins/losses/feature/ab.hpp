// SPDX-License-Identifier: MIT
//
// kdhost.ab: activation boundaries, on which side of zero each neuron is.
//   Heo, Lee, Yun, Choi, AAAI 2019, arXiv 1811.03233
//
//   per tap, on maps before their ReLU:  sum((s + m)^2 where s > -m and t <= 0, (s - m)^2 where s <= m and t > 0) / N
//
// Variants  "repdistiller" (default): x 3/1000 x 2^(i - L + 1) for tap i of L. "torchdistill": neither factor.
//           MMRazor is "repdistiller" with the layer weights in its config.
// Adaptor   nothing for equal shapes, else FitNet's regressor without ReLU.
// Published as a first stage with this loss alone (30 epochs), then cross-entropy only.
#pragma once
#include "../element_sums.hpp"
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
        "regressor without ReLU where shapes differ. Not 0 at equality: neurons within the margin count. Published "
        "as a first [[stage]] with this loss alone.\n"
        "Trained: regressors where shapes differ. State: their running statistics.");
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
    TapSum sum(c);
    for (TapPair p : taps) {
      need_maps(p);
      if (p.index < connectors_.size() && connectors_[p.index]) p.student = (*connectors_[p.index])(c, p.student);
      need_equal_shapes(p, "; set adaptor = \"auto\"");
      double factor = 1.0 / static_cast<double>(p.student.size(0));
      if (weighted_) factor *= std::ldexp(3.0 / 1000.0, static_cast<int>(p.index + 1) - static_cast<int>(taps.size()));
      sum.add(missing_squares(p.student, p.teacher, margin, factor));
    }
    return sum.value();
  }

 private:
  /// factor * sum of (s - m)^2 where s <= m and t > 0, and of (s + m)^2 where s > -m and t <= 0: both are
  /// max(0, m -+ s)^2, the sign by what the teacher is. A teacher that is not a number gives none either.
  static Tensor missing_squares(const Tensor& s, const Tensor& t, double margin, double factor) {
    if (laid_out_alike(s, t)) return element_sum("kdhost.ab", ElementTerm::boundary, s, t, margin, factor);
    const Tensor towards = where(t > 0.0, -1.0, where(t <= 0.0, 1.0, t));
    return square(relu(s * towards + margin)).sum() * factor;
  }

  bool weighted_;
  std::vector<std::optional<SizeRegressor>> connectors_;
};

}  // namespace kdhost::plugins
