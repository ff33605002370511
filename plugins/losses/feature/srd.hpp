// SPDX-License-Identifier: MIT
//
// kdhost.srd: a simple recipe, a projector, batch norm and a logarithm of one sum.
//   Miles & Mikolajczyk, AAAI 2024, arXiv 2303.11098
//
//   L = sum over taps of 2 log max(sum |A(f_s) - B(f_t)|^q, 1e-12), the inner sum over the whole batch,
//       + (1/N) sum p_t (log p_t - log p_s) of the logits at temperature 1
//
// Adaptor   maps averaged over their positions; A: linear layer to the teacher's width, then the batch's own mean and
//           variance taken out (batch norm without scale, eps 1e-4); B: the same normalisation without the layer.
// Default = torchdistill. The published code has no floor under the logarithm and gives -infinity at equality. Its
// recipe uses q = 4. The value grows with the logarithm of the batch size; its gradient does not.
#pragma once
#include "adaptors.hpp"

namespace kdhost::plugins {

struct SimpleRecipe final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.srd").version("1.0.0").summary("simple recipe: log of the summed differences, and soft targets");
    s.source(
        "Miles & Mikolajczyk, Understanding the Role of the Projector in Knowledge Distillation, AAAI 2024, arXiv "
        "2303.11098; default = torchdistill");
    s.details(
        "2 log max(sum |f_s - f_t|^q, 1e-12) over the whole batch, summed over taps, plus KL(p_t || p_s) of the "
        "logits at temperature 1 (mean over samples). adaptor = \"auto\": maps are averaged over their positions, the "
        "student's through a linear layer, both standardised over the batch (eps 1e-4); \"none\": as they are.\n"
        "Trained: linear layers.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.srd\"\nweight = 1.0\nparams = { exponent = 4.0 }\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    s.number("exponent", 1.0).at_least(1.0).doc("q: power of the differences").schedulable();
    s.choice("adaptor", {"auto", "none"}).doc("auto: linear layer and standardisation; none: shapes must agree");
    s.inputs("student.features").doc("embeddings [N, D] or maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order");
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
  }

  SimpleRecipe(const Params& p, const Ports& ports, Builder& b) : adapts_(p.text("adaptor") == "auto") {
    if (!adapts_) return;
    for (std::size_t i = 0; i < bound_pairs(ports); ++i) {
      for (const char* side : {"student", "teacher"})
        if (const std::size_t rank = ports.shape(tap_name(side, i)).size(); rank != 4 && rank != 2)
          refuse_ports(ports, i, "embeddings [N, D] or maps [N, C, H, W]");
      projectors_.push_back(b.linear("projector" + std::to_string(i), ports.size(tap_name("student", i), 1),
                                     ports.size(tap_name("teacher", i), 1)));
    }
  }

  Tensor compute(const Call& c) override {
    const double exponent = c.number("exponent");
    Tensor features;
    for (TapPair& p : tap_pairs(c)) {
      if (adapts_) {
        p.student = standardised(projectors_[p.index](c, pooled(p.student)));
        p.teacher = standardised(pooled(p.teacher));
      }
      need_equal_shapes(p, "; set adaptor = \"auto\"");
      accumulate(features, log(clamp_min(powers(p.student - p.teacher, exponent).sum(), 1e-12)) * 2.0);
    }
    const LogitPair z = logit_pair(c);
    const Tensor log_s = log_softmax(z.student, 1), log_t = log_softmax(z.teacher, 1);
    const Tensor soft = (exp(log_t) * (log_t - log_s)).sum() / static_cast<double>(z.student.size(0));
    c.report("features", features);
    c.report("logits", soft);
    return features + soft;
  }

 private:
  /// |d|^q; the recipe's q = 4 and plain squares without a power function.
  static Tensor powers(const Tensor& d, double q) {
    if (q == 2.0) return square(d);
    if (q == 4.0) return square(square(d));
    return q == 1.0 ? abs(d) : abs(d).pow(q);
  }
  static Tensor pooled(const Tensor& x) { return x.dim() == 4 ? x.mean({2, 3}) : x; }
  static Tensor standardised(const Tensor& x) { return batch_norm(x, {}, {}, {}, {}, true, 0.1, 1e-4); }

  bool adapts_;
  std::vector<nn::Linear> projectors_;
};

}  // namespace kdhost::plugins
