// SPDX-License-Identifier: MIT
//
// The kernels of dist_rows.hpp, compiled once for any x86-64 processor and, for float32, the one with exponentials once
// more for those with AVX2 and FMA.
#include "dist_rows.hpp"

#include "../row_math.hpp"

namespace kdhost::plugins {
namespace {

/// rho = product / D of two centred vectors and its derivative, d rho / d a = by_b b - by_a a.
template <class T>
struct Correlation {
  T rho, by_a, by_b;
};

template <class T>
KDHOST_INLINE Correlation<T> correlation(T product, T squares_a, T squares_b, bool clamped) {
  constexpr T kEpsilon = T(1e-8);
  const T norm_a = std::sqrt(squares_a), norm_b = std::sqrt(squares_b);
  if (!clamped) {
    const T by = 1 / (norm_a * norm_b + kEpsilon);
    return {product * by, norm_a > 0 ? product * by * by * norm_b / norm_a : T(0), by};
  }
  const T by = 1 / (std::max(norm_a, kEpsilon) * std::max(norm_b, kEpsilon));
  return {product * by, norm_a > kEpsilon ? product * by / squares_a : T(0), by};
}

template <class T>
KDHOST_INLINE void softmax_row(const T* x, T* p, std::int64_t n, T inv_t) {
  const T high = largest(x, n);
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += p[i] = exp_of_negative((x[i] - high) * inv_t);
  const T by = 1 / sum;
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) p[i] *= by;
}

template <class T>
KDHOST_INLINE void rows_body(const DistRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  const T mean = 1 / static_cast<T>(n);  // of probabilities, on both sides
  for (std::int64_t row = begin; row < end; ++row) {
    T* p_s = k.p_s + row * n;
    T* p_t = k.p_t + row * n;
    softmax_row(k.student + row * n, p_s, n, k.inv_temperature);
    softmax_row(k.teacher + row * n, p_t, n, k.inv_temperature);
    T product = 0, squares_s = 0, squares_t = 0;
#pragma omp simd reduction(+ : product, squares_s, squares_t)
    for (std::int64_t i = 0; i < n; ++i) {
      const T a = p_s[i] - mean, b = p_t[i] - mean;
      product += a * b;
      squares_s += a * a;
      squares_t += b * b;
    }
    const Correlation<T> r = correlation(product, squares_s, squares_t, k.clamped);
    k.row_value[row] = static_cast<double>(r.rho);
    if (!k.gradient) continue;
    T* g = k.gradient + row * n;
    const T by_b = k.row_scale * r.by_b, by_a = k.row_scale * r.by_a;
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) g[i] = (p_t[i] - mean) * by_b - (p_s[i] - mean) * by_a;
  }
}

template <class T>
KDHOST_INLINE void columns_body(const DistRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes, width = end - begin;
  const T per_row = 1 / static_cast<T>(k.rows);
  std::vector<T> sums(static_cast<std::size_t>(5 * width), T(0));
  T* mean_s = sums.data();
  T* mean_t = mean_s + width;
  T* product = mean_t + width;
  T* squares_s = product + width;
  T* squares_t = squares_s + width;
  for (std::int64_t row = 0; row < k.rows; ++row) {
    const T* p_s = k.p_s + row * n + begin;
    const T* p_t = k.p_t + row * n + begin;
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) {
      mean_s[i] += p_s[i];
      mean_t[i] += p_t[i];
    }
  }
  for (std::int64_t i = 0; i < width; ++i) {
    mean_s[i] *= per_row;
    mean_t[i] *= per_row;
  }
  for (std::int64_t row = 0; row < k.rows; ++row) {
    const T* p_s = k.p_s + row * n + begin;
    const T* p_t = k.p_t + row * n + begin;
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) {
      const T a = p_s[i] - mean_s[i], b = p_t[i] - mean_t[i];
      product[i] += a * b;
      squares_s[i] += a * a;
      squares_t[i] += b * b;
    }
  }
  for (std::int64_t i = 0; i < width; ++i) {
    const Correlation<T> r = correlation(product[i], squares_s[i], squares_t[i], k.clamped);
    k.column_value[begin + i] = static_cast<double>(r.rho);
    product[i] = k.column_scale * r.by_b;
    squares_s[i] = k.column_scale * r.by_a;
  }
  if (!k.gradient) return;
  for (std::int64_t row = 0; row < k.rows; ++row) {
    const T* p_s = k.p_s + row * n + begin;
    const T* p_t = k.p_t + row * n + begin;
    T* g = k.gradient + row * n + begin;
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i)
      g[i] += (p_t[i] - mean_t[i]) * product[i] - (p_s[i] - mean_s[i]) * squares_s[i];
  }
}

template <class T>
KDHOST_INLINE void gradient_body(const DistRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* p = k.p_s + row * n;
    T* g = k.gradient + row * n;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) sum += g[i] * p[i];
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) g[i] = k.inv_temperature * p[i] * (g[i] - sum);
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void rows_avx2(const DistRows<float>& k, std::int64_t begin, std::int64_t end) {
  rows_body(k, begin, end);
}
#endif

}  // namespace

void dist_rows(const DistRows<float>& k, std::int64_t begin, std::int64_t end) {
#if defined(__x86_64__)
  if (has_avx2) return rows_avx2(k, begin, end);
#endif
  rows_body(k, begin, end);
}
void dist_rows(const DistRows<double>& k, std::int64_t begin, std::int64_t end) { rows_body(k, begin, end); }
void dist_columns(const DistRows<float>& k, std::int64_t begin, std::int64_t end) { columns_body(k, begin, end); }
void dist_columns(const DistRows<double>& k, std::int64_t begin, std::int64_t end) { columns_body(k, begin, end); }
void dist_gradient_rows(const DistRows<float>& k, std::int64_t begin, std::int64_t end) {
  gradient_body(k, begin, end);
}
void dist_gradient_rows(const DistRows<double>& k, std::int64_t begin, std::int64_t end) {
  gradient_body(k, begin, end);
}

}  // namespace kdhost::plugins
