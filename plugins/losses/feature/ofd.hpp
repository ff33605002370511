// SPDX-License-Identifier: MIT
//
// kdhost.ofd: overhaul of feature distillation, maps before their ReLU with a margin below it.
//   Heo, Kim, Yun, Park, Kwak, Choi, ICCV 2019, arXiv 1904.01866
//
//   t' = max(t, m_c);   L = sum over taps of 2^(i - L + 1) sum (A(s) - t')^2 where A(s) > t' or t' > 0, divided by N
//
// Margin    m_c <= 0 per channel: the mean of the teacher's negative responses, from the weight w and bias b of the
//           batch norm before its ReLU: m = b - |w| phi(b/|w|) / Phi(-b/|w|), or -3|w| where Phi(-b/|w|) <= 0.001.
//           Bind `teacher.norm_weight` and `teacher.norm_bias` for that; or `teacher.margin`, or the parameter.
// Adaptor   conv 1x1 without bias, N(0, 2 / C_out), and batch norm.
// Variants  "mdistiller" (default). "mmrazor": each tap divided by 1000, no weights of the taps.
// The author's 1/1000 of the default is left to the weight of the term. If sizes differ the teacher's map is pooled to
// the student's. The teacher's batch norm runs in training mode, as the author found better.
#pragma once
#include "adaptors.hpp"

namespace kdhost::plugins {

struct FeatureOverhaul final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.ofd").version("1.0.0").summary("overhaul of feature distillation: partial L2 before the ReLU");
    s.source(
        "Heo et al., A Comprehensive Overhaul of Feature Distillation, ICCV 2019, arXiv 1904.01866; default = "
        "mdistiller");
    s.details(
        "With t' = max(t, m_c): sum of (s - t')^2 where s > t' or t' > 0, divided by N; tap i of L weighs 2^(i - L + "
        "1). The margin m_c <= 0 of a channel is the mean negative response behind the teacher's batch norm (weight w, "
        "bias b): b - |w| phi(b/|w|) / Phi(-b/|w|), or -3|w| where Phi(-b/|w|) <= 0.001. adaptor = \"auto\" trains a "
        "1x1 convolution with batch norm on the student. variant = \"mmrazor\": each tap divided by 1000, no weights. "
        "If sizes differ the teacher's map is average-pooled to the student's. "
        " The teacher runs with the statistics "
        "of the batch (training mode), for every loss that sees it.\n"
        "Trained: convolutions with batch norm. State: their running statistics.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.ofd\"\nweight = 0.001\n[loss.inputs]\n"
        "\"student.features\"    = [\"layer2.pre\", \"layer3.pre\"]\n"
        "\"teacher.features\"    = [\"layer2.pre\", \"layer3.pre\"]\n"
        "\"teacher.norm_weight\" = [\"teacher:param/layer2.2.bn2.weight\", \"teacher:param/layer3.2.bn2.weight\"]\n"
        "\"teacher.norm_bias\"   = [\"teacher:param/layer2.2.bn2.bias\", \"teacher:param/layer3.2.bn2.bias\"]\n");
    s.number("margin").range(-1e6, 0.0).doc("one margin for all channels, instead of the batch norm's");
    s.choice("variant", {"mdistiller", "mmrazor"}).doc("whose factors");
    s.choice("adaptor", {"auto", "none"}).doc("auto: a trained 1x1 convolution with batch norm; none: channels agree");
    s.inputs("student.features").doc("maps [N, C, H, W] before their ReLU");
    s.inputs("teacher.features").doc("as many, in the same order, before their ReLU");
    s.inputs("teacher.norm_weight").optional().doc("[C] of the batch norm before each teacher tap's ReLU");
    s.inputs("teacher.norm_bias").optional().doc("[C] of the same batch norms");
    s.inputs("teacher.margin").optional().doc("[C] for each tap: the margins themselves");
    s.teacher_in_training_mode();
  }

  FeatureOverhaul(const Params& p, const Ports& ports, Builder& b) : mmrazor_(p.text("variant") == "mmrazor") {
    if (p.has("margin")) margin_ = p.number("margin");
    if (p.text("adaptor") == "none") return;
    for (std::size_t i = 0; i < bound_pairs(ports); ++i) {
      const MapChannels ch = map_channels(ports, i);
      connectors_.push_back(conv_norm(b.scope("connector" + std::to_string(i)), ch.student, ch.teacher, 1,
                                      nn::kaiming_normal_fan_out({ch.teacher, ch.student, 1, 1})));
    }
  }

  Tensor compute(const Call& c) override {
    const std::vector<TapPair> taps = tap_pairs(c);
    const Tensors margins = margins_of(c, taps);
    TapSum sum(c);
    for (TapPair p : taps) {
      need_maps(p);
      const std::int64_t h = p.student.size(2), w = p.student.size(3);
      if (p.index < connectors_.size()) p.student = connectors_[p.index](c, p.student);
      need_equal_channels(p, "; set adaptor = \"auto\"");
      p.teacher = averaged_to(p.teacher, h, w);
      const Tensor target = maximum(p.teacher, margins[p.index]);
      // Asked in this way a NaN is no reason to leave a number out.
      const Tensor left_out = (p.student <= target) & (target <= 0.0);
      Tensor value =
          square(masked_fill(p.student - target, left_out, 0.0)).sum() / static_cast<double>(p.student.size(0));
      const int from_last = static_cast<int>(taps.size() - 1 - p.index);
      value = mmrazor_ ? value / 1000.0 : value * std::ldexp(1.0, -from_last);
      sum.add(value);
    }
    return sum.value();
  }

 private:
  /// Of each tap a margin that fits beside its map, in its dtype.
  Tensors margins_of(const Call& c, const std::vector<TapPair>& taps) const {
    Tensors margins;
    if (c.has("teacher.margin")) {
      for (const TapPair& p : taps) margins.push_back(by_channel(c, "teacher.margin", p, taps.size()));
    } else if (margin_) {
      for (const TapPair& p : taps) margins.push_back(full({1, 1, 1, 1}, *margin_, p.teacher));
    } else if (c.has("teacher.norm_weight") && c.has("teacher.norm_bias")) {
      for (const TapPair& p : taps)
        margins.push_back(mean_negative_response(abs(by_channel(c, "teacher.norm_weight", p, taps.size())),
                                                 by_channel(c, "teacher.norm_bias", p, taps.size())));
    } else {
      throw std::invalid_argument(
          "nothing says where the margins come from, expected 'teacher.norm_weight' and 'teacher.norm_bias' bound to "
          "the batch norms before the teacher's ReLUs (\"teacher:param/layer3.2.bn2.weight\"), or 'teacher.margin', or "
          "the parameter margin");
    }
    return margins;
  }

  /// Element `p.index` of a list of channel vectors as [1, C, 1, 1].
  static Tensor by_channel(const Call& c, const std::string& port, const TapPair& p, std::size_t taps) {
    const Tensors list = c.list(port);
    if (list.size() != taps)
      throw std::invalid_argument("'" + port + "' has " + std::to_string(list.size()) +
                                  " tensors, expected one for each of the " + std::to_string(taps) + " taps");
    const Tensor& x = list[p.index];
    need_maps(p);
    if (x.dim() != 1 || x.size(0) != p.teacher.size(1))
      refuse_shape(port + "." + std::to_string(p.index), x,
                   "[" + std::to_string(p.teacher.size(1)) + "], one number for each channel of '" +
                       tap_name("teacher", p.index) + "'");
    return to(x.detach(), p.teacher.dtype()).reshape({1, -1, 1, 1});
  }

  /// Mean of the negative part of N(b, sigma^2).
  static Tensor mean_negative_response(const Tensor& sigma, const Tensor& bias) {
    const Tensor at = bias / clamp_min(sigma, 1e-12);
    const Tensor density = exp(square(at) * -0.5) * 0.39894228040143267794;  // 1 / sqrt(2 pi)
    const Tensor below = erfc(at * 0.70710678118654752440) * 0.5;            // Phi(-at)
    return where(below > 0.001, bias - sigma * density / clamp_min(below, 1e-300), sigma * -3.0);
  }

  bool mmrazor_;
  std::optional<double> margin_;
  std::vector<ConvNorm> connectors_;
};

}  // namespace kdhost::plugins
