// SPDX-License-Identifier: MIT
//
// Value and gradient of a divergence between two rows of probabilities, p_s = softmax(student_scale * student) and
// p_t = softmax(teacher_scale * teacher), in one go over raw memory. Two exponentials an element, two rows of scratch a
// thread; composed of operators the same needs about ten passes and as many temporary tensors. divergence.hpp chooses
// between this and the operators.
#pragma once
#include "../softmax_rows.hpp"

namespace kdhost::plugins {

/// What is summed over the classes; m is the mixture below.
enum class Divergence {
  kl,               ///< p_t (log p_t - log p_s)
  cross_entropy,    ///< -p_t log p_s
  reverse_kl,       ///< p_s (log p_s - log p_t)
  jensen,           ///< mix p_t (log p_t - log m) + (1 - mix) p_s (log p_s - log m),  m = mix p_t + (1 - mix) p_s
  skew,             ///< p_t (log p_t - log m),  m = mix p_t + (1 - mix) p_s
  skew_ce,          ///< -p_t log m
  skew_reverse,     ///< p_s (log p_s - log m),  m = mix p_s + (1 - mix) p_t
  skew_reverse_ce,  ///< -p_s log m
  total_variation,  ///< |p_t - p_s| / 2
};

template <class T>
struct PairRows {
  const T* student;
  const T* teacher;
  const T* weight;  ///< one a row, for value and gradient; null: 1
  std::int64_t classes;
  T student_scale, teacher_scale;
  T gradient_scale;  ///< of d value / d (student_scale * student)
  T mix;
  T* gradient = nullptr;    ///< null when nobody wants it
  double* value = nullptr;  ///< receives the sum over the classes of each row, weighted, unscaled
};

/// Rows [begin, end).
void pair_rows(const PairRows<float>& k, Divergence what, std::int64_t begin, std::int64_t end);
void pair_rows(const PairRows<double>& k, Divergence what, std::int64_t begin, std::int64_t end);

/// The derivative of a row's kl by the scale of both sides, which is student_scale; into `value`.
void kl_by_scale_rows(const PairRows<float>& k, std::int64_t begin, std::int64_t end);
void kl_by_scale_rows(const PairRows<double>& k, std::int64_t begin, std::int64_t end);

/// Rows [begin, end) of `z`: sum over the classes of softmax(z)^exponent.
void power_sum_rows(const float* z, std::int64_t classes, double exponent, float* sums, std::int64_t begin,
                    std::int64_t end);
void power_sum_rows(const double* z, std::int64_t classes, double exponent, double* sums, std::int64_t begin,
                    std::int64_t end);

}  // namespace kdhost::plugins
