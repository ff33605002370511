// SPDX-License-Identifier: MIT
//
// kdhost.gated_kd: soft targets where the teacher is sure, the label where it is not.
//
//   k_i = max_c softmax(z_t,i)_c
//   L   = (1/N) sum_i { T^2 KL(p_t,i || p_s,i)        where k_i >= threshold
//                     { -log softmax(z_s,i)_y          elsewhere,        p = softmax(z / T)
//
// Published descriptions of gating by confidence agree on this rule and differ in what they gate; there is no code of
// authors to compare with, so this definition is ours. Mishra & Sundaram, arXiv 2107.06993, weight by the teacher's
// confidence instead. A kdhost.cross_entropy beside it is not needed where the teacher is unsure.
#pragma once
#include "label_rows.hpp"
#include "logit_source.hpp"

namespace kdhost::plugins {

struct GatedKd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.gated_kd")
        .version("1.0.0")
        .summary("confidence-gated distillation: soft targets of a sure teacher, the label where it is unsure");
    s.source(
        "after Mishra & Sundaram, Confidence Conditioned Knowledge Distillation, arXiv 2107.06993; definition and "
        "golden value are ours");
    s.details(
        "Mean over samples of T^2 KL(p_t || p_s), p = softmax(z / T), where the teacher's largest probability at T = "
        "1 is at least threshold, and of -log softmax(z_s)_y elsewhere. threshold = 0: kdhost.kd; above 1 is not "
        "allowed. Reports the sub-term soft_share, the share of samples with soft targets. Needs hard labels. "
        "Several teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.gated_kd\"\nweight = 1.0\nparams = { threshold = 0.5 }\n");
    s.number("temperature", 4.0).above(0.0).doc("softens both sides of the soft targets").schedulable();
    s.number("threshold", 0.5).range(0.0, 1.0).doc("the teacher's confidence from which it is followed").schedulable();
    LogitSource::describe(s, Labels::hard);
  }

  GatedKd(const Params& p, const Ports& ports, Builder&) : logits_(p, ports) {}

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    const LogitPair z = logits_.pair(c, temperature);
    const Tensor label = hard_labels(c, z.student.size(0), z.classes());
    const double per_sample = 1.0 / static_cast<double>(z.student.size(0));
    const double threshold = c.number("threshold"), squared = temperature * temperature;
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher)) {
      const Tensor sure = Tensor::empty({z.student.size(0)}, z.student.dtype(), z.student);
      const LabelRowsOf of{1.0 / temperature, threshold, squared, per_sample, per_sample, sure};
      const Tensor value = sum_of_label_rows("kdhost.gated_kd", z, label, of, {gated_rows, gated_rows});
      c.report("soft_share", sure.mean());
      return value;
    }
    const Tensor sure = ge(amax(softmax(z.teacher, 1), 1), threshold).to(z.student.dtype());
    c.report("soft_share", sure.mean());
    const Tensor log_s = log_softmax(z.student / temperature, 1), log_t = log_softmax(z.teacher / temperature, 1);
    const Tensor soft = (exp(log_t) * (log_t - log_s)).sum({1}) * squared;
    const Tensor hard = -log_softmax(z.student, 1).gather(1, label.unsqueeze(1)).squeeze(1);
    return (soft * sure + hard * (1.0 - sure)).sum() * per_sample;
  }

 private:
  LogitSource logits_;
};

}  // namespace kdhost::plugins
