// SPDX-License-Identifier: MIT
//
// kdhost.sp: similarity preserving, which samples of the batch look alike.     Tung & Mori, ICCV 2019, arXiv 1907.09682
//
//   F [N, C*H*W];  G = F F^T, each row scaled to unit L2;  L = sum over taps of sum((G_s - G_t)^2) / N^2
//
// Variants  "author" (default) = RepDistiller (confirmed there by the author), mdistiller. "torchdistill": rows scaled
//           by their L1 norm instead; about a third of the value.
// Shapes may differ in everything but N. The value depends on how samples fall into batches; one sample gives 0.
// Gradient  hand-written: with W = dL/dG it is (W + W^T) F, one product where differentiating F F^T takes two. It is
//           made along with the value and can be taken once only. A zero row of G gets none.
#pragma once
#include "sample_relations.hpp"

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
        "scales rows by their L1 norm. Shapes may differ in everything but N. A batch of one sample gives 0. The "
        "gradient can be taken once "
        "only (create_graph is refused).");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.sp\"\nweight = 3000.0\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    s.choice("variant", {"author", "torchdistill"}).doc("norm of the rows: L2 or L1");
    s.inputs("student.features").doc("[N, ...]");
    s.inputs("teacher.features").doc("as many, in the same order; any shape with the same N");
  }

  explicit SimilarityPreserving(const Params& p) : l1_(p.text("variant") == "torchdistill") {}

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (const TapPair& p : tap_pairs(c)) {
      if (p.student.size(0) == 1) warn_("a batch of one sample has no similarities: the loss is 0 there");
      sum.add(compare(rows_of(p.student), rows_of(p.teacher)));
    }
    return sum.value();
  }

 private:
  /// [N, C*H*W] in the order in which the map lies in memory, which saves a copy of channels_last maps: products of
  /// rows do not depend on it.
  static Tensor rows_of(const Tensor& x) {
    if (x.dim() == 4 && !x.is_contiguous()) {
      const Tensor last = x.permute({0, 2, 3, 1});
      if (last.is_contiguous()) return last.reshape({x.size(0), -1});
    }
    return x.reshape({x.size(0), -1});
  }

  struct Similarity {
    Tensor products, inverse_norm, scaled;
  };
  Similarity similarity(const Tensor& f) const {
    Similarity s;
    s.products = matmul(f, f.t());
    const Tensor norm = vector_norm(s.products, l1_ ? 1 : 2, 1, true);
    s.inverse_norm = where(le(norm, 0.0), zeros_like(norm), reciprocal(clamp_min(norm, 1e-12)));
    s.scaled = s.products * s.inverse_norm;
    return s;
  }

  Tensor compare(const Tensor& f_s, const Tensor& f_t) const {
    const bool wants_gradient = grad_enabled() && f_s.requires_grad();
    if (fits_row_kernel(f_s) && fits_row_kernel(f_t))
      return relation_value("kdhost.sp", f_s,
                            similarity_relation(products_of(f_s), products_of(f_t), f_s.size(0), l1_, wants_gradient));
    Tensor value, gradient;
    {
      const NoGrad off;
      const auto n = static_cast<double>(f_s.size(0));
      const Similarity s = similarity(f_s);
      const Tensor difference = s.scaled - similarity(f_t).scaled;
      value = square(difference).sum() / (n * n);
      if (wants_gradient) {
        const Tensor to_scaled = difference * (2.0 / (n * n));
        const Tensor along = (to_scaled * s.scaled).sum({1}, true);
        const Tensor to_products = (to_scaled - (l1_ ? sign(s.products) : s.scaled) * along) * s.inverse_norm;
        gradient = matmul(to_products + to_products.t(), f_s);
      }
    }
    if (!wants_gradient) return value;
    return custom_grad("kdhost.sp", KnownGradient{std::move(value), std::move(gradient)}, {f_s});
  }

  bool l1_;
  WarnOnce warn_;
};

}  // namespace kdhost::plugins
