// SPDX-License-Identifier: MIT
//
// The kernel of attention_ce_rows.hpp, compiled once for any x86-64 processor and, for float32, once for those with
// AVX2 and FMA.
#include "attention_ce_rows.hpp"

#include <vector>

#include "../row_math.hpp"

namespace kdhost::plugins {
namespace {

template <class T>
KDHOST_INLINE void body(const AttentionCeRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.keys;
  std::vector<T> scratch(static_cast<std::size_t>(2 * n));
  T *e_s = scratch.data(), *q = e_s + n;
  for (std::int64_t row = begin; row < end; ++row) {
    const T *s = k.student + row * n, *t = k.teacher + row * n;
    const T* mask = k.mask ? k.mask + row / k.sample * n : nullptr;
    const T max_s = largest(s, n), max_t = largest(t, n);
    T sum_s = 0, sum_t = 0;
#pragma omp simd reduction(+ : sum_s, sum_t)
    for (std::int64_t i = 0; i < n; ++i) {
      e_s[i] = exp_of_negative(s[i] - max_s);
      q[i] = exp_of_negative(t[i] - max_t);
      sum_s += e_s[i];
      sum_t += q[i];
    }
    const T inv_s = 1 / sum_s, inv_t = 1 / sum_t, log_s = std::log(sum_s);
    T value = 0, kept = 0;
#pragma omp simd reduction(+ : value, kept)
    for (std::int64_t i = 0; i < n; ++i) {
      q[i] *= inv_t * (mask ? mask[i] : (t[i] <= k.padded ? T(0) : T(1)));
      kept += q[i];
      value += q[i] == 0 ? T(0) : q[i] * (log_s - (s[i] - max_s));  // a key without weight may score -inf
    }
    const T weight = mask ? mask[row % n] : T(1);
    k.value[row] = static_cast<double>(value) * static_cast<double>(weight);
    if (k.gradient == nullptr) continue;
    T* g = k.gradient + row * n;
    const T scale = k.gradient_scale * weight, shift = kept * inv_s;
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) g[i] = scale * (e_s[i] * shift - q[i]);
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void rows_avx2(const AttentionCeRows<float>& k, std::int64_t begin,
                                                   std::int64_t end) {
  body(k, begin, end);
}
#endif

}  // namespace

void attention_ce_rows(const AttentionCeRows<float>& k, std::int64_t begin, std::int64_t end) noexcept {
#if defined(__x86_64__)
  if (has_avx2) return rows_avx2(k, begin, end);
#endif
  body(k, begin, end);
}
void attention_ce_rows(const AttentionCeRows<double>& k, std::int64_t begin, std::int64_t end) noexcept {
  body(k, begin, end);
}

}  // namespace kdhost::plugins
