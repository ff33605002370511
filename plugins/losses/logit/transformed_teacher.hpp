// SPDX-License-Identifier: MIT
//
// What kdhost.ttm and kdhost.wttm share: the divergence of the student from a teacher whose probabilities are raised to
// a power, each sample with a weight or without.
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

}  // namespace kdhost::plugins
