// SPDX-License-Identifier: MIT
//
// kdhost.ttm, kdhost.wttm: transformed teacher matching.                    Zheng & Yang, ICLR 2024, arXiv 2402.11148
//
//   r = softmax(z_t)^l / U,   U_i = sum_c softmax(z_t,i)_c^l
//   TTM = mean_i KL(r_i || softmax(z_s,i)),   WTTM = mean_i U_i KL_i
//
// exponent l = 1/T of the teacher; r is softmax(l z_t). No T^2 and no temperature on the student: that is the point of
// the method. Default = authors' code. U reaches C^(1-l), about 63 for C = 100 and l = 0.1; it is a number of the
// teacher alone and carries no gradient.
#pragma once
#include "divergence.hpp"
#include "logit_source.hpp"

namespace kdhost::plugins {

/// Of both losses; `name` is the id.
class TransformedTeacher {
 public:
  static void describe(Spec& s) {
    s.number("exponent", 0.1).above(0.0).doc("power of the teacher's probabilities: 1/T of the teacher").schedulable();
    LogitSource::describe(s);
  }
  TransformedTeacher(const Params& p, const Ports& ports) : logits_(p, ports) {}

  Tensor value(std::string_view name, const Call& c, bool weighted) const {
    const double exponent = c.number("exponent");
    const LogitPair z = logits_.pair(c, 1.0 / exponent);
    DivergenceOf d;
    d.teacher_scale = exponent;
    d.factor = 1.0 / static_cast<double>(z.student.size(0));
    if (weighted) d.weight = power_sums(z.teacher, exponent);
    return divergence(name, z, d);
  }

 private:
  /// U, [N].
  static Tensor power_sums(const Tensor& z, double exponent) {
    if (!fits_row_kernel(z)) return exp(log_softmax(z, 1) * exponent).sum({1});
    const auto by_rows = [&](auto zero) {
      using T = decltype(zero);
      const std::int64_t n = z.size(0), classes = z.size(1);
      const T* from = z.data<T>();
      Tensor sums = Tensor::empty({n}, z.dtype(), z);
      T* to = sums.mutable_data<T>();
      parallel_for(n, row_grain(classes), [&](std::int64_t begin, std::int64_t end) {
        power_sum_rows(from, classes, exponent, to, begin, end);
      });
      return sums;
    };
    return z.dtype() == Dtype::f32 ? by_rows(float{}) : by_rows(double{});
  }

  LogitSource logits_;
};

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
