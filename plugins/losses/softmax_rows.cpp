// SPDX-License-Identifier: MIT
//
// The row kernel of softmax_rows.hpp. Written as plain loops that the compiler turns into vector instructions, once for
// any x86-64 processor and once for those with AVX2 and FMA.
#include "softmax_rows.hpp"

#include "row_math.hpp"

namespace kdhost::plugins {
namespace {

/// (1 - p)^gamma l with l = -log p of the label, and its derivative with respect to l. The floor under 1 - p keeps the
/// derivative finite for gamma < 1; at the floor nothing goes through it.
struct Focal {
  double value, slope;
};
Focal focal(double gamma, double l) {
  constexpr double kFloor = 1e-12;
  const double p = std::exp(-l), missed = -std::expm1(-l);
  const double base = missed < kFloor ? kFloor : missed, weight = std::pow(base, gamma);
  return {weight * l, weight + (missed < kFloor ? 0.0 : gamma * weight / base * p * l)};
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
    T outer = k.gradient_scale;
    if (k.gamma > 0) {
      const Focal counted = focal(static_cast<double>(k.gamma), value);
      value = counted.value;
      outer *= static_cast<T>(counted.slope);
    }
    k.value[row] = value;
    if (!g) continue;
    const T scale = outer / sum, shift = outer * even;
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) g[i] = g[i] * scale - shift;
    g[y] -= outer * (1 - k.smoothing);
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void cross_entropy_avx2(const CrossEntropyRows<float>& k, std::int64_t begin,
                                                            std::int64_t end) {
  cross_entropy_body(k, begin, end);
}
#endif

}  // namespace

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
