// SPDX-License-Identifier: MIT
//
// kdhost.sp: similarity preserving, which samples of the batch look alike.     Tung & Mori, ICCV 2019, arXiv 1907.09682
//
//   F [N, C*H*W];  G = F F^T, each row scaled to unit L2;  L = sum over taps of sum((G_s - G_t)^2) / N^2
//
// Variants  "author" (default) = RepDistiller (confirmed there by the author), mdistiller. "torchdistill": rows scaled
//           by their L1 norm instead; about a third of the value.
// Shapes may differ in everything but N. The value depends on how samples fall into batches; one sample gives 0.
#pragma once
#include "../loss_inputs.hpp"

namespace kdhost::plugins {

struct SimilarityPreserving final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.sp")
        .version("1.0.0")
        .summary("similarity preserving: samples that look alike to the teacher do so to the student");
    s.source(
        "Tung & Mori, Similarity-Preserving Knowledge Distillation, ICCV 2019, arXiv 1907.09682; default = "
        "RepDistiller");
    s.details(
        "F [N, C*H*W], G = F F^T with rows scaled to unit L2; sum((G_s - G_t)^2) / N^2, summed over taps. variant = "
        "\"torchdistill\" "
        "scales rows by their L1 norm. Shapes may differ in everything but N. A batch of one sample gives 0.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.sp\"\nweight = 3000.0\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    s.choice("variant", {"author", "torchdistill"}).doc("norm of the rows: L2 or L1");
    s.inputs("student.features").doc("[N, ...]");
    s.inputs("teacher.features").doc("as many, in the same order; any shape with the same N");
  }

  explicit SimilarityPreserving(const Params& p) : order_(p.text("variant") == "torchdistill" ? 1.0 : 2.0) {}

  Tensor compute(const Call& c) override {
    Tensor sum;
    for (const TapPair& p : tap_pairs(c)) {
      const auto n = static_cast<double>(p.student.size(0));
      if (p.student.size(0) == 1) warn_("a batch of one sample has no similarities: the loss is 0 there");
      accumulate(sum, square(similarity(p.student) - similarity(p.teacher)).sum() / (n * n));
    }
    return sum;
  }

 private:
  Tensor similarity(const Tensor& x) const {
    const Tensor f = x.reshape({x.size(0), -1});
    return normalize(matmul(f, f.t()), order_, 1);
  }

  double order_;
  WarnOnce warn_;
};

}  // namespace kdhost::plugins
