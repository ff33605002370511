// SPDX-License-Identifier: MIT
//
// kdhost.dist_plus: DIST with correlations of the feature maps.
//   Huang, You, Wang, Qian, Xu, DIST+: Knowledge Distillation From a Stronger Adaptive Teacher, TPAMI 2025
//
//   L = DIST(z) + sum over taps of iota * (1 - mean rho_channel) + kappa * (1 - mean rho_spatial)
//   rho_channel  of each sample and position: student and teacher over the channels; a.b / (|a||b| + 1e-8), centred
//   rho_spatial  of each position: the sums over channels of student and teacher, over the samples of the batch
//
// Variants  "paper" (default). "torchdistill": the channel term enters as +rho instead of 1 - rho, and norms of the
//           other correlations are at least 1e-8 instead of having 1e-8 added to their product; reproduces its number.
// The authors' code is not public; the correlations are those of torchdistill. With one sample the spatial part is the
// constant kappa, without gradient.
#pragma once
#include "dist.hpp"

namespace kdhost::plugins {

/// rho of the vectors along one dimension of s and t, with a derivative by hand: two passes over s instead of eight.
class CorrelationByHand {
 public:
  CorrelationByHand(std::int64_t along, bool clamped) : along_(along), clamped_(clamped) {}

  Tensor forward(const Tensors& in, Tensors& saved) {
    const Tensor a = in[0] - in[0].mean({along_}, true), b = in[1] - in[1].mean({along_}, true);
    const Tensor product = (a * b).sum({along_}, true);
    // Not vector_norm, which takes a dimension that is not the last one a number at a time.
    const auto norm = [&](const Tensor& x) { return square(x).sum({along_}, true).sqrt(); };
    const Tensor norm_a = norm(a), norm_b = norm(b);
    const Tensor by =
        reciprocal(clamped_ ? clamp_min(norm_a, kEpsilon) * clamp_min(norm_b, kEpsilon) : norm_a * norm_b + kEpsilon);
    const Tensor rho = product * by;
    // d rho / d s = by b - own a. A vector without a norm has no derivative through it.
    const Tensor own = clamped_ ? rho / square(norm_a) : rho * by * norm_b / norm_a;
    saved = {a, b, by, where(gt(norm_a, clamped_ ? kEpsilon : 0.0), own, 0.0)};
    return rho.squeeze(along_);
  }
  Tensors backward(const Tensors& saved, const Tensor& grad) {
    once_differentiable();
    const Tensor g = grad.unsqueeze(along_);
    return {addcmul(saved[1] * (saved[2] * g), saved[0], saved[3] * g, -1), Tensor()};
  }
  Tensor operator()(const Tensor& s, const Tensor& t) {
    Tensors saved;
    if (!grad_enabled() || !s.requires_grad()) return forward({s, t}, saved);
    return custom_grad("kdhost.dist_plus", *this, {s, t});
  }

 private:
  static constexpr double kEpsilon = 1e-8;
  std::int64_t along_;
  bool clamped_;
};

struct DistPlus final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.dist_plus").version("1.0.0").summary("DIST with correlations of feature maps over channels and batch");
    s.source(
        "Huang, You, Wang, Qian, Xu, DIST+: Knowledge Distillation From a Stronger Adaptive Teacher, TPAMI 2025; "
        "variant \"torchdistill\" = torchdistill");
    s.details(
        "kdhost.dist on the logits, plus for each tap iota (1 - mean rho over channels, for each sample and "
        "position) + kappa (1 - mean rho over samples of the maps summed over channels, for each position). Variant "
        "\"torchdistill\" adds the channel term as +rho and bounds norms by 1e-8 from below; it reproduces the "
        "public number. Taps must have the same shape. Depends on the batch: with one sample the parts within "
        "classes and positions are constants. Reports the sub-terms inter, intra, channel and spatial, without their "
        "weights. Several teachers: see combine (logits only).");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.dist_plus\"\nweight = 1.0\nparams = { beta = 2.0, gamma = 2.0 }\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    DistOfLogits::describe(s);
    s.number("iota", 1.0).at_least(0.0).doc("weight of the correlation over channels").schedulable();
    s.number("kappa", 1.0).at_least(0.0).doc("weight of the correlation over the batch").schedulable();
    s.choice("variant", {"paper", "torchdistill"}).doc("sign of the channel term, place of the epsilon");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order and of the same shapes");
  }

  DistPlus(const Params& p, const Ports& ports, Builder&)
      : as_torchdistill_(p.text("variant") == "torchdistill"), dist_(p, ports, as_torchdistill_) {}

  Tensor compute(const Call& c) override {
    const double iota = c.number("iota"), kappa = c.number("kappa");
    Tensor sum = dist_.value("kdhost.dist_plus", c), of_channels, of_positions;
    for (const TapPair& tap : tap_pairs(c)) {
      need_maps(tap);
      if (tap.student.shape() != tap.teacher.shape()) refuse_pair(tap, "maps of the same shape");
      // Over the channels the published code has the epsilon beside the product of norms in every variant.
      const Tensor channel = CorrelationByHand(1, false)(tap.student, tap.teacher).mean();
      accumulate(of_channels, as_torchdistill_ ? channel : 1.0 - channel);
      const Tensor s = tap.student.sum({1}), t = tap.teacher.sum({1});
      accumulate(of_positions, 1.0 - CorrelationByHand(0, as_torchdistill_)(s, t).mean());
    }
    c.report("channel", of_channels);
    c.report("spatial", of_positions);
    return sum + of_channels * iota + of_positions * kappa;
  }

 private:
  bool as_torchdistill_;
  DistOfLogits dist_;
};

}  // namespace kdhost::plugins
