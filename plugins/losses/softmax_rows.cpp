// SPDX-License-Identifier: MIT
//
// The row kernels of softmax_rows.hpp. Written as plain loops that the compiler turns into vector instructions (this
// file is compiled with -O3 -fopenmp-simd, which links no OpenMP), once for any x86-64 processor and once for those
// with AVX2 and FMA.
#include "softmax_rows.hpp"

#include <cmath>

namespace kdhost::plugins {
namespace {

#define KDHOST_INLINE inline __attribute__((always_inline))

/// e^x for x <= 0 in float32, within 1 unit in the last place; results below 2^-126 are 0. NaN stays NaN.
/// x = n ln 2 + f with |f| <= ln 2 / 2; e^f by the minimax polynomial of Cephes' expf (S. Moshier), 2^n through the
/// exponent bits.
KDHOST_INLINE float exp_of_negative(float x) {
  constexpr float kLog2E = 1.44269504088896341f;
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;  // ln 2 in two parts: n * high is exact
  constexpr float kRound = 12582912.0f;                                // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  const float f = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * f * f + f + 1.0f;
  const std::uint32_t exponent =
      __builtin_bit_cast(std::uint32_t, shifted) - __builtin_bit_cast(std::uint32_t, kRound) + 127u;
  const float power = __builtin_bit_cast(float, exponent << 23);
  return x < -87.3f ? 0.0f : p * power;
}
KDHOST_INLINE double exp_of_negative(double x) { return std::exp(x); }

template <class T>
KDHOST_INLINE T largest(const T* x, std::int64_t n) {
  T m = x[0];
#pragma omp simd reduction(max : m)
  for (std::int64_t i = 0; i < n; ++i) m = x[i] > m ? x[i] : m;
  return m;
}

template <class T>
KDHOST_INLINE void kd_body(const KdRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  const T inv_t = k.inv_temperature;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    const T* t = k.teacher + row * n;
    const T max_s = largest(s, n), max_t = largest(t, n);
    T sum_s = 0, sum_t = 0, cross = 0;
    if (k.gradient) {
      T* e = k.gradient + row * n;
#pragma omp simd reduction(+ : sum_s, sum_t, cross)
      for (std::int64_t i = 0; i < n; ++i) {
        const T a_s = (s[i] - max_s) * inv_t, a_t = (t[i] - max_t) * inv_t;
        const T e_s = exp_of_negative(a_s), e_t = exp_of_negative(a_t);
        sum_s += e_s;
        sum_t += e_t;
        cross += k.cross_entropy ? e_t * -a_s : e_t * (a_t - a_s);
        e[i] = e_t;
      }
      // A second exponential of the student costs less than a temporary row in memory.
      const T scale_s = k.gradient_scale / sum_s, scale_t = k.gradient_scale / sum_t;
#pragma omp simd
      for (std::int64_t i = 0; i < n; ++i) e[i] = exp_of_negative((s[i] - max_s) * inv_t) * scale_s - e[i] * scale_t;
    } else {
#pragma omp simd reduction(+ : sum_s, sum_t, cross)
      for (std::int64_t i = 0; i < n; ++i) {
        const T a_s = (s[i] - max_s) * inv_t, a_t = (t[i] - max_t) * inv_t;
        const T e_t = exp_of_negative(a_t);
        sum_s += exp_of_negative(a_s);
        sum_t += e_t;
        cross += k.cross_entropy ? e_t * -a_s : e_t * (a_t - a_s);
      }
    }
    // sum p_t (log p_t - log p_s) = cross / sum_t + log sum_s - log sum_t; without log p_t the last term is missing.
    const double log_s = std::log(static_cast<double>(sum_s)), log_t = std::log(static_cast<double>(sum_t));
    k.value[row] = static_cast<double>(cross) / static_cast<double>(sum_t) + log_s - (k.cross_entropy ? 0.0 : log_t);
  }
}

template <class T>
KDHOST_INLINE void cross_entropy_body(const CrossEntropyRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  const T even = k.smoothing / static_cast<T>(n);
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    T* g = k.gradient ? k.gradient + row * n : nullptr;
    const std::int64_t y = k.label[row * k.label_stride];
    if (y == k.ignored) {
      k.value[row] = 0;
      for (std::int64_t i = 0; g && i < n; ++i) g[i] = 0;
      continue;
    }
    const T max_s = largest(s, n);
    T sum = 0, total = 0;
    if (g) {
#pragma omp simd reduction(+ : sum, total)
      for (std::int64_t i = 0; i < n; ++i) {
        const T a = s[i] - max_s;
        const T e = exp_of_negative(a);
        total += a;
        sum += e;
        g[i] = e;
      }
      const T scale = k.gradient_scale / sum, shift = k.gradient_scale * even;
#pragma omp simd
      for (std::int64_t i = 0; i < n; ++i) g[i] = g[i] * scale - shift;
      g[y] -= k.gradient_scale * (1 - k.smoothing);
    } else {
#pragma omp simd reduction(+ : sum, total)
      for (std::int64_t i = 0; i < n; ++i) {
        const T a = s[i] - max_s;
        total += a;
        sum += exp_of_negative(a);
      }
    }
    double value = std::log(static_cast<double>(sum)) -
                   (1.0 - static_cast<double>(k.smoothing)) * static_cast<double>(s[y] - max_s);
    // Apart, so that an infinite logit of another class does not spoil the value when nothing is smoothed.
    if (k.smoothing > 0) value -= static_cast<double>(even) * static_cast<double>(total);
    k.value[row] = value;
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void kd_avx2(const KdRows<float>& k, std::int64_t begin, std::int64_t end) {
  kd_body(k, begin, end);
}
__attribute__((target("avx2,fma"))) void cross_entropy_avx2(const CrossEntropyRows<float>& k, std::int64_t begin,
                                                            std::int64_t end) {
  cross_entropy_body(k, begin, end);
}
const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif

}  // namespace

void kd_rows(const KdRows<float>& k, std::int64_t begin, std::int64_t end) noexcept {
#if defined(__x86_64__)
  if (has_avx2) return kd_avx2(k, begin, end);
#endif
  kd_body(k, begin, end);
}
void kd_rows(const KdRows<double>& k, std::int64_t begin, std::int64_t end) noexcept { kd_body(k, begin, end); }

void cross_entropy_rows(const CrossEntropyRows<float>& k, std::int64_t begin, std::int64_t end) noexcept {
#if defined(__x86_64__)
  if (has_avx2) return cross_entropy_avx2(k, begin, end);
#endif
  cross_entropy_body(k, begin, end);
}
void cross_entropy_rows(const CrossEntropyRows<double>& k, std::int64_t begin, std::int64_t end) noexcept {
  cross_entropy_body(k, begin, end);
}

}  // namespace kdhost::plugins
