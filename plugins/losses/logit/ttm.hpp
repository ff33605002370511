// SPDX-License-Identifier: MIT
//
// kdhost.ttm: transformed teacher matching.                                  Zheng & Yang, ICLR 2024, arXiv 2402.11148
//
//   r = softmax(z_t)^l / sum_c softmax(z_t)_c^l,   TTM = mean_i KL(r_i || softmax(z_s,i))
//
// exponent l = 1/T of the teacher; r is softmax(l z_t). No T^2 and no temperature on the student: that is the point of
// the method. Default = authors' code. With a weight for each sample: kdhost.wttm.
#pragma once
#include "transformed_teacher.hpp"

namespace kdhost::plugins {

struct Ttm final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.ttm")
        .version("1.0.0")
        .summary("transformed teacher matching: a softened teacher for a student without temperature");
    s.source(
        "Zheng & Yang, Knowledge Distillation Based on Transformed Teacher Matching, ICLR 2024, arXiv 2402.11148; "
        "default = authors' code");
    s.details(
        "mean_i KL(r_i || softmax(z_s,i)), r = softmax(z_t)^l scaled to sum 1, l = exponent = 1/T of the teacher. No "
        "T^2 and no temperature on the student: without it the student keeps an entropy term that works against "
        "overconfidence. In log space. Several teachers: see combine (probabilities are mixed at T = 1/l).");
    s.recipe("[[loss]]\nuse = \"kdhost.ttm\"\nweight = 1.0\nparams = { exponent = 0.1 }\n");
    TransformedTeacher::describe(s);
  }
  Ttm(const Params& p, const Ports& ports, Builder&) : teacher_(p, ports) {}
  Tensor compute(const Call& c) override { return teacher_.value("kdhost.ttm", c, false); }

 private:
  TransformedTeacher teacher_;
};

}  // namespace kdhost::plugins
