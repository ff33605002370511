// SPDX-License-Identifier: MIT
//
// kdhost.nkd: normalised knowledge distillation.                               Yang et al., ICCV 2023, arXiv 2303.13005
//
//   L = -mean_i p_t,y log p_s,y  +  gamma T^2 mean_i (-sum_{c != y} q_t log q_s)
//
// p = softmax(z), p_t,y without gradient; q = softmax over the C-1 logits z_c / T, c != y. Cross-entropy form by
// definition: not 0 at equality. Stands beside a kdhost.cross_entropy of weight 1. Default = authors' code.
#pragma once
#include "label_rows.hpp"
#include "logit_source.hpp"

namespace kdhost::plugins {

struct Nkd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.nkd")
        .version("1.0.0")
        .summary("normalised distillation: the label's class weighted by the teacher, the others scaled to sum 1");
    s.source(
        "Yang et al., From Knowledge Distillation to Self-Knowledge Distillation: A Unified Approach with Normalized "
        "Loss and Customized Soft Labels, ICCV 2023, arXiv 2303.13005; default = authors' code");
    s.details(
        "-mean_i p_t,y log p_s,y at T = 1, plus gamma T^2 mean_i (-sum_{c != y} q_t log q_s), q = softmax over the "
        "C-1 other logits at T. Cross-entropy form by definition: not 0 at equality. Needs hard labels and at least "
        "two classes; with two the second part is exactly 0. Reports the sub-terms target and others, the latter "
        "without gamma. Several teachers: see combine (probabilities are mixed "
        "at T).");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.cross_entropy\"\nweight = 1.0\n\n"
        "[[loss]]\nuse = \"kdhost.nkd\"\nweight = 1.0\nparams = { gamma = 1.5, temperature = 1.0 }\n");
    s.number("gamma", 1.5).at_least(0.0).doc("weight of the other classes' part").schedulable();
    s.number("temperature", 1.0).above(0.0).doc("softens the other classes, both sides").schedulable();
    LogitSource::describe(s, Labels::hard);
  }

  Nkd(const Params& p, const Ports& ports, Builder&) : logits_(p, ports) {}

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    const LogitPair z = logits_.pair(c, temperature);
    need_two_classes(z);
    const std::int64_t classes = z.classes();
    const Tensor label = hard_labels(c, z.student.size(0), classes);
    const double per_sample = 1.0 / static_cast<double>(z.student.size(0));
    const double gamma = c.number("gamma"), squared = temperature * temperature;
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher)) {
      LabelParts sums;
      LabelRowsOf of{1.0 / temperature, 1.0, gamma * squared, per_sample, per_sample};
      if (c.wants("target")) of.parts = &sums;
      const Tensor value = sum_of_label_rows("kdhost.nkd", z, label, of, {nkd_rows, nkd_rows});
      report_number(c, "target", sums.target * per_sample);
      report_number(c, "others", sums.rest * squared * per_sample);
      return value;
    }
    const OtherClasses of(label, classes);
    const Tensor target = -(exp(of.label_of(log_softmax(z.teacher, 1))) * of.label_of(log_softmax(z.student, 1)));
    const Tensor q_t = softmax(of.others_of(z.teacher) / temperature, 1);
    const Tensor others = -(q_t * log_softmax(of.others_of(z.student) / temperature, 1));
    const Tensor of_target = target.sum() * per_sample, of_others = others.sum() * (squared * per_sample);
    c.report("target", of_target);
    c.report("others", of_others);
    return of_target + of_others * gamma;
  }

 private:
  LogitSource logits_;
};

}  // namespace kdhost::plugins
