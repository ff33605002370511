// SPDX-License-Identifier: MIT
//
// A divergence between softened probabilities of student and teacher, summed over classes and samples: what most logit
// losses are made of. On the CPU with contiguous logits one pass over each row gives value and gradient
// (pair_rows.cpp); that gradient can be taken once only. Anywhere else it is composed of operators, in log space.
#pragma once
#include "../loss_inputs.hpp"
#include "pair_rows.hpp"

namespace kdhost::plugins {

struct DivergenceOf {
  Divergence what = Divergence::kl;
  double student_scale = 1;  ///< 1 / T of the student
  double teacher_scale = 1;
  double factor = 1;  ///< of the sum: T^2 / N and the like
  double mix = 0;     ///< of the mixtures, in (0, 1)
  Tensor weight{};    ///< [N], without gradient; empty: 1
};

namespace detail_of_divergence {

template <class T>
Tensor by_rows(std::string_view name, const LogitPair& z, const DivergenceOf& d) {
  const Tensor weight = d.weight ? d.weight.contiguous() : Tensor();
  PairRows<T> rows{};
  rows.student = z.student.data<T>();
  rows.teacher = z.teacher.data<T>();
  rows.weight = weight ? weight.data<T>() : nullptr;
  rows.classes = z.classes();
  rows.student_scale = static_cast<T>(d.student_scale);
  rows.teacher_scale = static_cast<T>(d.teacher_scale);
  rows.gradient_scale = static_cast<T>(d.factor * d.student_scale);
  rows.mix = static_cast<T>(d.mix);
  return sum_of_rows<T>(
      name, z.student, d.factor, rows,
      [&](const PairRows<T>& k, std::int64_t begin, std::int64_t end) { pair_rows(k, d.what, begin, end); });
}

/// log(mix a + (1 - mix) b) from log a and log b.
inline Tensor log_mixture(const Tensor& log_a, const Tensor& log_b, double mix) {
  return logaddexp(log_a + std::log(mix), log_b + std::log1p(-mix));
}

/// [N, C], one term a class.
inline Tensor terms(const Tensor& log_s, const Tensor& log_t, Divergence what, double mix) {
  switch (what) {
    case Divergence::kl:
      return exp(log_t) * (log_t - log_s);
    case Divergence::cross_entropy:
      return -(exp(log_t) * log_s);
    case Divergence::reverse_kl:
      return exp(log_s) * (log_s - log_t);
    case Divergence::jensen: {
      const Tensor log_m = log_mixture(log_t, log_s, mix);
      return exp(log_t) * (log_t - log_m) * mix + exp(log_s) * (log_s - log_m) * (1.0 - mix);
    }
    case Divergence::skew:
      return exp(log_t) * (log_t - log_mixture(log_t, log_s, mix));
    case Divergence::skew_ce:
      return -(exp(log_t) * log_mixture(log_t, log_s, mix));
    case Divergence::skew_reverse:
      return exp(log_s) * (log_s - log_mixture(log_s, log_t, mix));
    case Divergence::skew_reverse_ce:
      return -(exp(log_s) * log_mixture(log_s, log_t, mix));
    case Divergence::total_variation:
      return abs(exp(log_t) - exp(log_s)) * 0.5;
  }
  throw std::logic_error("unknown divergence");
}

}  // namespace detail_of_divergence

/// factor * sum_i weight_i sum_c term. `name` is the loss, for messages of autograd.
inline Tensor divergence(std::string_view name, const LogitPair& z, const DivergenceOf& d) {
  using namespace detail_of_divergence;
  if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher))
    return z.student.dtype() == Dtype::f32 ? by_rows<float>(name, z, d) : by_rows<double>(name, z, d);
  const Tensor log_s = log_softmax(z.student * d.student_scale, 1);
  const Tensor log_t = log_softmax(z.teacher * d.teacher_scale, 1);
  Tensor sum = terms(log_s, log_t, d.what, d.mix);
  if (d.weight) sum = sum.sum({1}) * d.weight;
  return sum.sum() * d.factor;
}

/// The mean over samples at temperature 1.
inline Tensor mean_divergence(std::string_view name, const LogitPair& z, Divergence what, double mix = 0) {
  DivergenceOf d;
  d.what = what;
  d.mix = mix;
  d.factor = 1.0 / static_cast<double>(z.student.size(0));
  return divergence(name, z, d);
}

}  // namespace kdhost::plugins
