// SPDX-License-Identifier: MIT
//
// kdhost.pkt: probabilistic knowledge transfer.                     Passalis & Tefas, ECCV 2018, arXiv 1803.10837
//
//   x = e / (|e| + 1e-7);  S = (x x^T + 1) / 2, rows divided by their sum (the diagonal included)
//   L = sum over taps of the mean over N^2 of S_t log((S_t + 1e-7) / (S_s + 1e-7))
//
// RepDistiller, mdistiller and torchdistill agree. Their gradient is NaN for a zero row; here such a row gets none
// through its norm. The value falls with 1/N (a mean over N^2 of rows that sum to 1), hence the published weight of
// 30000. On the CPU value and gradient come from the products of the embeddings (sample_relations.hpp), and the
// gradient can be taken once only.
#pragma once
#include "sample_relations.hpp"

namespace kdhost::plugins {

struct Pkt final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.pkt")
        .version("1.0.0")
        .summary("probabilistic transfer: cosine similarities in the batch as probabilities");
    s.source(
        "Passalis & Tefas, Learning Deep Representations with Probabilistic Knowledge Transfer, ECCV 2018, arXiv "
        "1803.10837; equal in RepDistiller, mdistiller and torchdistill");
    s.details(
        "x = e / (|e| + 1e-7), S = (x x^T + 1) / 2 with rows divided by their sum; mean over N^2 of S_t log((S_t + "
        "1e-7) / (S_s + "
        "1e-7)). Widths may differ. Half precision is raised to float32. On the CPU the gradient can be taken once "
        "only "
        "(create_graph is refused).");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.pkt\"\nweight = 30000.0\n"
        "inputs = { student = [\"embedding\"], teacher = [\"embedding\"] }\n");
    s.inputs("student.features").doc("embeddings [N, D]; maps are flattened");
    s.inputs("teacher.features").doc("as many, in the same order; D may differ");
  }

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (const TapPair& p : tap_pairs(c)) {
      if (p.student.size(0) == 1) warn_("a batch of one sample has no similarities: the loss is 0 there");
      const Tensor e = p.student.reshape({p.student.size(0), -1}).contiguous();
      if (fits_row_kernel(e)) {
        const Products teacher = products_of(p.teacher.reshape({p.teacher.size(0), -1}).contiguous());
        sum.add(relation_value(
            "kdhost.pkt", e,
            probability_relation(products_of(e), teacher, e.size(0), grad_enabled() && e.requires_grad())));
        continue;
      }
      const Tensor s = probabilities(p.student), t = probabilities(p.teacher);
      sum.add((t * log((t + 1e-7) / (s + 1e-7))).mean());
    }
    return sum.value();
  }

 private:
  static Tensor probabilities(const Tensor& e) {
    const Tensor f = e.reshape({e.size(0), -1});
    const Tensor x = f / (vector_norm(f, 2, 1, true) + 1e-7);
    const Tensor similarity = (matmul(x, x.t()) + 1.0) / 2.0;
    return similarity / similarity.sum({1}, true);
  }

  WarnOnce warn_;
};

}  // namespace kdhost::plugins
