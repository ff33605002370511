// SPDX-License-Identifier: MIT
//
// kdhost.nst: neuron selectivity transfer, the distribution of the channels' maps.
//   Huang & Wang, 2017, arXiv 1707.01219
//
//   each channel's map scaled to unit L2 over its positions;  K(a, b) = (a . b)^2
//   L = sum over taps of mean K(t, t) - 2 mean K(s, t) + mean K(s, s),   means over N and pairs of channels
//
// The squared maximum mean discrepancy with a polynomial kernel (degree 2, offset 0); default = RepDistiller,
// mdistiller. Channels may differ; the larger map is pooled to the smaller. The kernels are batched matrix products:
// the published code makes N x C_s x C_t x HW numbers on the way. TextBrewer's `nst` is another loss.
#pragma once
#include "../relation/product_difference.hpp"

namespace kdhost::plugins {

struct NeuronSelectivity final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.nst").version("1.0.0").summary("neuron selectivity: the set of the channels' maps, in any order");
    s.source(
        "Huang & Wang, Like What You Like: Knowledge Distill via Neuron Selectivity Transfer, arXiv 1707.01219; "
        "default = RepDistiller, mdistiller");
    s.details(
        "Each channel's map is scaled to unit L2; K(a, b) = (a . b)^2; mean K(t, t) + mean K(s, s) - 2 mean K(s, t) "
        "over N and all pairs of channels, summed over taps. Channels may differ; the larger map is average-pooled to "
        "the smaller one. TextBrewer's nst is a different loss.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.nst\"\nweight = 50.0\n"
        "inputs = { student = [\"layer1\", \"layer2\", \"layer3\"], teacher = [\"layer1\", \"layer2\", \"layer3\"] "
        "}\n");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order; channels may differ");
  }

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (TapPair& p : tap_pairs(c)) {
      need_maps(p);
      pool_to_smaller(p.student, p.teacher);
      const Tensor s = normalize(p.student.flatten(2), 2, 2), t = normalize(p.teacher.flatten(2), 2, 2);
      sum.add(s.size(2) < s.size(1) ? by_positions(s, t)
                                    : kernel_mean(t, t) + kernel_mean(s, s) - kernel_mean(s, t) * 2.0);
    }
    return sum.value();
  }

 private:
  /// The same by products of positions, which are fewer than channels in late layers: the sum of (a_i . b_j)^2 over
  /// channels i and j is that of (A^T A) (B^T B) over pairs of positions, so that the three means are one difference.
  static Tensor by_positions(const Tensor& s, const Tensor& t) {
    const double positions = static_cast<double>(s.size(2));
    return product_difference("kdhost.nst",
                              {s, t, 1.0 / static_cast<double>(s.size(1)), 1.0 / static_cast<double>(t.size(1))}) *
           (positions * positions);
  }
  static Tensor kernel_mean(const Tensor& a, const Tensor& b) { return square(bmm(a, b.transpose(1, 2))).mean(); }
};

}  // namespace kdhost::plugins
