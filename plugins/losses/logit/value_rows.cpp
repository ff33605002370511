// SPDX-License-Identifier: MIT
//
// The row kernels of value_rows.hpp. Additions and multiplications only, so what every x86-64 processor has is fast
// enough.
#include "value_rows.hpp"

#include "../row_math.hpp"

namespace kdhost::plugins {
namespace {

template <class T>
void cosine(const ValueRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    const T* t = k.teacher + row * n;
    T product = 0, squares_s = 0, squares_t = 0;
#pragma omp simd reduction(+ : product, squares_s, squares_t)
    for (std::int64_t i = 0; i < n; ++i) {
      product += s[i] * t[i];
      squares_s += s[i] * s[i];
      squares_t += t[i] * t[i];
    }
    const T norm_s = std::sqrt(squares_s), norm_t = std::sqrt(squares_t);
    const bool zero = norm_s == 0 || norm_t == 0;
    const T both = zero ? T(0) : 1 / norm_s / norm_t;
    const T similarity = product * both;
    k.value[row] = 1.0 - static_cast<double>(similarity);
    if (!k.gradient) continue;
    T* g = k.gradient + row * n;
    const T by_t = -k.gradient_scale * both, by_s = zero ? T(0) : k.gradient_scale * similarity / squares_s;
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) g[i] = t[i] * by_t + s[i] * by_s;
  }
}

template <class T>
void square(const ValueRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    const T* t = k.teacher + row * n;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) sum += (s[i] - t[i]) * (s[i] - t[i]);
    k.value[row] = static_cast<double>(sum);
    if (!k.gradient) continue;
    T* g = k.gradient + row * n;
    const T by = 2 * k.gradient_scale;
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) g[i] = by * (s[i] - t[i]);
  }
}

}  // namespace

void cosine_rows(const ValueRows<float>& k, std::int64_t begin, std::int64_t end) { cosine(k, begin, end); }
void cosine_rows(const ValueRows<double>& k, std::int64_t begin, std::int64_t end) { cosine(k, begin, end); }
void square_rows(const ValueRows<float>& k, std::int64_t begin, std::int64_t end) { square(k, begin, end); }
void square_rows(const ValueRows<double>& k, std::int64_t begin, std::int64_t end) { square(k, begin, end); }

}  // namespace kdhost::plugins
