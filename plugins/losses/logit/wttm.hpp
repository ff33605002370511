// SPDX-License-Identifier: MIT
//
// kdhost.wttm: weighted transformed teacher matching.                        Zheng & Yang, ICLR 2024, arXiv 2402.11148
//
//   U_i = sum_c softmax(z_t,i)_c^l,   r = softmax(z_t)^l / U,   WTTM = mean_i U_i KL(r_i || softmax(z_s,i))
//
// As kdhost.ttm, with more weight for samples with a smooth teacher. Default = authors' code. U reaches C^(1-l), about
// 63 for C = 100 and l = 0.1; it is a number of the teacher alone and carries no gradient.
#pragma once
#include "transformed_teacher.hpp"

namespace kdhost::plugins {

struct Wttm final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.wttm")
        .version("1.0.0")
        .summary("weighted transformed teacher matching: samples with a smooth teacher count more");
    s.source(
        "Zheng & Yang, Knowledge Distillation Based on Transformed Teacher Matching, ICLR 2024, arXiv 2402.11148; "
        "default = authors' code");
    s.details(
        "mean_i U_i KL(r_i || softmax(z_s,i)), r and l as in kdhost.ttm, U_i = sum_c softmax(z_t,i)^l, without "
        "gradient: large where the teacher spreads its probability, up to C^(1-l) (63 for 100 classes at l = 0.1), "
        "so weights of this term are smaller than they look. Several teachers: see combine (probabilities are mixed "
        "at T = 1/l).");
    s.recipe("[[loss]]\nuse = \"kdhost.wttm\"\nweight = 45.0\nparams = { exponent = 0.1 }\n");
    TransformedTeacher::describe(s);
  }
  Wttm(const Params& p, const Ports& ports, Builder&) : teacher_(p, ports) {}
  Tensor compute(const Call& c) override { return teacher_.value("kdhost.wttm", c, true); }

 private:
  TransformedTeacher teacher_;
};

}  // namespace kdhost::plugins
