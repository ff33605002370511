// SPDX-License-Identifier: MIT
//
// kdhost.attention: attention transfer.                           Zagoruyko & Komodakis, ICLR 2017, arXiv 1612.03928
//
//   q(f) = v / max(|v|_2, 1e-12) over the positions,  v = mean_c |f|^p
//   L    = sum over taps of the mean over N*H*W of (q_s - q_t)^2
//
// Variants  "author" (default) = the authors' code, RepDistiller, mdistiller, MMRazor.
//           "paper": (1/N) sum_i |q_s,i - q_t,i|_2 per tap; about 50 times larger (torchdistill's mode = "paper").
// Channels may differ; the larger map is pooled to the smaller. The published code raises f^p without absolute value,
// which is the same for even p and for maps behind a ReLU. Mean or sum over channels makes no difference: it is
// normalised away. For p = 2 on the CPU value and gradient are computed by hand (attention_rows.hpp); that gradient can
// be taken once only.
#pragma once
#include "../loss_inputs.hpp"
#include "attention_rows.hpp"

namespace kdhost::plugins {

struct Attention final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.attention").version("1.0.0").summary("attention transfer: where in the map the activation is");
    s.source(
        "Zagoruyko & Komodakis, Paying More Attention to Attention, ICLR 2017, arXiv 1612.03928; default = authors' "
        "code");
    s.details(
        "q(f) = mean_c |f|^p scaled to unit L2 over the positions; mean over N*H*W of (q_s - q_t)^2, summed over taps. "
        "variant = \"paper\" takes the L2 distance per sample instead (about 50 times larger). Channels may differ; "
        "the larger "
        "map is average-pooled to the smaller one. With p = 2 on the CPU the gradient can be taken once only "
        "(create_graph "
        "is refused).");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.attention\"\nweight = 1000.0\n"
        "inputs = { student = [\"layer1\", \"layer2\", \"layer3\"], teacher = [\"layer1\", \"layer2\", \"layer3\"] "
        "}\n");
    s.number("p", 2.0).at_least(1.0).doc("power of the activations").schedulable();
    s.choice("variant", {"author", "paper"}).doc("whose definition");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order; channels may differ");
  }

  explicit Attention(const Params& params) : paper_(params.text("variant") == "paper") {}

  Tensor compute(const Call& c) override {
    const double power = c.number("p");
    TapSum sum(c);
    for (TapPair& p : tap_pairs(c)) {
      need_maps(p);
      pool_to_smaller(p.student, p.teacher);
      if (power == 2.0 && p.student.on_cpu()) {
        const double n = static_cast<double>(p.student.size(0));
        const double positions = static_cast<double>(p.student.size(2) * p.student.size(3));
        sum.add(attention_sum("kdhost.attention", paper_ ? AttentionTerm::distance : AttentionTerm::squares, p.student,
                              p.teacher, paper_ ? 1.0 / n : 1.0 / (n * positions)));
        continue;
      }
      const Tensor difference = where_active(p.student, power) - where_active(p.teacher, power);
      sum.add(paper_ ? vector_norm(difference, 2, 1).mean() : square(difference).mean());
    }
    return sum.value();
  }

 private:
  /// [N, H*W], unit length per sample; a zero map stays zero.
  static Tensor where_active(const Tensor& f, double power) {
    const Tensor raised = power == 2.0 ? square(f) : abs(f).pow(power);
    return normalize(raised.mean({1}).flatten(1));
  }

  bool paper_;
};

}  // namespace kdhost::plugins
