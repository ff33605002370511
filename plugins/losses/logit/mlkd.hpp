// SPDX-License-Identifier: MIT
//
// kdhost.mlkd: multi-level logit distillation.                          Jin, Wang, Lin, CVPR 2023
//
//   L = sum over temperatures T of
//         T^2/N sum_i KL(p_t || p_s)                                     instances
//       + class_weight / C * |P_s^T P_s - P_t^T P_t|^2                   classes
//       + batch_weight / N * |P_s P_s^T - P_t P_t^T|^2                   batch,      P = softmax(z / T), [N, C]
//
// The paper's definition. The public code adds masks and terms of a strongly augmented view that do not act as the
// paper describes, so published results are those of the code. A strong view is a second term of this kind, bound to
// the logits of that view. Variants  standardize = true puts (z - mean) / (1e-7 + std) in place of z on both sides
// (kdhost.lskd).
#pragma once
#include "divergence.hpp"
#include "logit_source.hpp"
#include "standardize.hpp"

namespace kdhost::plugins {

struct Mlkd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.mlkd")
        .version("1.0.0")
        .summary("multi-level logit distillation: instances, classes and batch at several temperatures");
    s.source(
        "Jin, Wang, Lin, Multi-Level Logit Distillation, CVPR 2023; golden value our own computation with PyTorch");
    s.details(
        "Sum over temperatures of T^2/N sum_i KL(p_t || p_s) + class_weight/C |P_s^T P_s - P_t^T P_t|^2 + "
        "batch_weight/N |P_s P_s^T - P_t P_t^T|^2, P = softmax(z / T). The paper's definition: the public code's "
        "masks and strong-view terms do not act as the paper says, and published results are those of the code. "
        "standardize = true takes (z - mean) / (1e-7 + std) of each row first (kdhost.lskd). Depends on the batch. "
        "Reports the sub-terms instance, class and batch. Several teachers: see combine (probabilities are mixed at "
        "T = 1).");
    s.recipe("[[loss]]\nuse = \"kdhost.mlkd\"\nweight = 9.0\n");
    s.numbers("temperatures", {2.0, 3.0, 4.0, 5.0, 6.0}).above(0.0).doc("each adds its own terms");
    s.number("class_weight", 1.0).at_least(0.0).doc("weight of the classes' part").schedulable();
    s.number("batch_weight", 1.0).at_least(0.0).doc("weight of the batch's part").schedulable();
    Standardize::describe(s);
    LogitSource::describe(s);
  }

  Mlkd(const Params& p, const Ports& ports, Builder&)
      : logits_(p, ports), temperatures_(p.numbers("temperatures")), standardized_(p.flag("standardize")) {
    if (temperatures_.empty())
      throw std::invalid_argument("'temperatures' is empty, expected at least one number, as in [2.0, 4.0]");
  }

  Tensor compute(const Call& c) override {
    LogitPair z = logits_.pair(c);
    if (standardized_) z = standardize_(z);
    const double samples = static_cast<double>(z.student.size(0)), classes = static_cast<double>(z.classes());
    Tensor instance, of_class, of_batch;
    for (const double temperature : temperatures_) {
      DivergenceOf d;
      d.student_scale = d.teacher_scale = 1.0 / temperature;
      d.factor = temperature * temperature / samples;
      accumulate(instance, divergence("kdhost.mlkd", z, d));
      const Tensor p_s = softmax(z.student / temperature, 1), p_t = softmax(z.teacher / temperature, 1);
      accumulate(of_class, square(p_s.t().matmul(p_s) - p_t.t().matmul(p_t)).sum());
      accumulate(of_batch, square(p_s.matmul(p_s.t()) - p_t.matmul(p_t.t())).sum());
    }
    of_class = of_class * (1.0 / classes);
    of_batch = of_batch * (1.0 / samples);
    c.report("instance", instance.detach());
    c.report("class", of_class.detach());
    c.report("batch", of_batch.detach());
    return instance + of_class * c.number("class_weight") + of_batch * c.number("batch_weight");
  }

 private:
  LogitSource logits_;
  Standardize standardize_;
  std::vector<double> temperatures_;
  bool standardized_;
};

}  // namespace kdhost::plugins
