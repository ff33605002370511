// SPDX-License-Identifier: MIT
//
// The arithmetic of the row kernels (softmax_rows.cpp, logit/pair_rows.cpp, logit/label_rows.cpp): exponential and
// logarithm as plain expressions that the compiler turns into vector instructions. Only for sources that are compiled
// with -O3 -fopenmp-simd, which links no OpenMP.
#pragma once
#include <cmath>
#include <cstdint>

#define KDHOST_INLINE inline __attribute__((always_inline))

namespace kdhost::plugins {

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

/// ln x for 0 <= x <= 1 or so in float32, within 2 units in the last place; what lies below 2^-126, 0 included, counts
/// as 2^-126, so that 0 * ln 0 is 0. NaN stays NaN. x = 2^e m with m in [sqrt(1/2), sqrt 2); ln m by the polynomial of
/// Cephes' logf.
KDHOST_INLINE float log_of_positive(float x) {
  constexpr float kSmallest = 1.17549435e-38f, kRootHalf = 0.707106781186547524f;
  const float bounded = x < kSmallest ? kSmallest : x;
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, bounded);
  const float half = __builtin_bit_cast(float, (bits & 0x007fffffu) | 0x3f000000u);  // [1/2, 1)
  const bool low = half < kRootHalf;
  const float e = static_cast<float>(static_cast<std::int32_t>(bits >> 23) - 126) - (low ? 1.0f : 0.0f);
  const float m = (low ? half + half : half) - 1.0f;
  const float square = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  p = p * m * square - 2.12194440e-4f * e - 0.5f * square;
  const float result = m + p + 0.693359375f * e;
  return x == x ? result : x;
}
KDHOST_INLINE double log_of_positive(double x) { return std::log(x < 1e-300 ? 1e-300 : x); }

#if defined(__x86_64__)
/// What functions marked target("avx2,fma") need.
inline const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif

template <class T>
KDHOST_INLINE T largest(const T* x, std::int64_t n) {
  T m = x[0];
#pragma omp simd reduction(max : m)
  for (std::int64_t i = 0; i < n; ++i) m = x[i] > m ? x[i] : m;
  return m;
}

}  // namespace kdhost::plugins
