// SPDX-License-Identifier: MIT
//
// kdhost.dist: correlation of predictions instead of their divergence.
//   Huang, You, Wang, Qian, Xu, NeurIPS 2022, arXiv 2205.10536
//
//   L = T^2 [beta (1 - mean_i rho(row i)) + gamma (1 - mean_c rho(column c))]   on p = softmax(z / T)
//   rho(a, b) = a.b / (|a||b| + 1e-8) of the centred vectors
//
// Variants  "author" (default): the epsilon is added to the product of norms. "torchdistill": each norm at least 1e-8.
// T = 1 is the authors' code; T^2 for other T stands in their classification code and in MMRazor.
// Columns need two samples: with one, their correlation is 0 and the part is gamma T^2 without gradient.
#pragma once
#include "../loss_inputs.hpp"

namespace kdhost::plugins {

struct Dist final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.dist")
        .version("1.0.0")
        .summary("Pearson correlation of predictions, within samples and within classes");
    s.source(
        "Huang, You, Wang, Qian, Xu, Knowledge Distillation from A Stronger Teacher, NeurIPS 2022, arXiv 2205.10536");
    s.details(
        "T^2 [beta (1 - mean rho over rows) + gamma (1 - mean rho over columns)] on softmax(z / T). rho = a.b / "
        "(|a||b| + 1e-8), "
        "both centred; variant \"torchdistill\" bounds each norm by 1e-8 from below instead. Depends on the batch: "
        "with one "
        "sample the column part is the constant gamma T^2.");
    s.recipe("[[loss]]\nuse = \"kdhost.dist\"\nweight = 1.0\nparams = { beta = 2.0, gamma = 2.0 }\n");
    s.number("beta", 1.0).at_least(0.0).doc("weight of the correlation within samples").schedulable();
    s.number("gamma", 1.0).at_least(0.0).doc("weight of the correlation within classes").schedulable();
    s.number("temperature", 1.0).above(0.0).doc("softens both sides").schedulable();
    s.choice("variant", {"author", "torchdistill"}).doc("where the epsilon stands");
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
  }

  explicit Dist(const Params& p) : clamped_(p.text("variant") == "torchdistill") {}

  Tensor compute(const Call& c) override {
    const LogitPair z = logit_pair(c);
    need_two_classes(z);
    if (z.student.size(0) == 1)
      warn_one_("a batch of one sample has no correlation within classes: that part of the loss is constant");
    if (z.classes() == 2)
      warn_two_("with two classes the correlation within a sample is always +-1: it says only which class is larger");
    const double temperature = c.number("temperature");
    const Tensor p_s = softmax(z.student / temperature, 1);
    const Tensor p_t = softmax(z.teacher / temperature, 1);
    const Tensor rows = (1.0 - correlation(p_s, p_t, 1).mean()) * c.number("beta");
    const Tensor columns = (1.0 - correlation(p_s, p_t, 0).mean()) * c.number("gamma");
    return (rows + columns) * (temperature * temperature);
  }

 private:
  Tensor correlation(const Tensor& s, const Tensor& t, std::int64_t along) const {
    const Tensor a = s - s.mean({along}, true);
    const Tensor b = t - t.mean({along}, true);
    const Tensor product = (a * b).sum({along});
    const Tensor norm_a = vector_norm(a, 2, along), norm_b = vector_norm(b, 2, along);
    return clamped_ ? product / (clamp_min(norm_a, 1e-8) * clamp_min(norm_b, 1e-8))
                    : product / (norm_a * norm_b + 1e-8);
  }

  bool clamped_;
  WarnOnce warn_one_, warn_two_;
};

}  // namespace kdhost::plugins
