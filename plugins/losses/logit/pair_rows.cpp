// SPDX-License-Identifier: MIT
//
// The row kernel of pair_rows.hpp: one loop for all divergences, which differ by a term of one class. Compiled once for
// any x86-64 processor and, for float32, once for those with AVX2 and FMA.
#include "pair_rows.hpp"

#include "../row_math.hpp"

namespace kdhost::plugins {
namespace {

/// A class of one row: logarithms and probabilities of both sides. Each term below adds to `value` and sets
/// `slope` = d value / d log p_s with the log-probabilities of the other classes held; the loop turns slopes into the
/// gradient by the softmax, slope_c - p_s,c * sum of slopes.
template <class T>
struct ClassOf {
  T log_s, log_t, p_s, p_t;
};

struct Kl {
  template <class T>
  KDHOST_INLINE void operator()(const ClassOf<T>& c, T& value, T& slope) const {
    value = c.p_t * (c.log_t - c.log_s);
    slope = -c.p_t;
  }
};
struct CrossEntropy {
  template <class T>
  KDHOST_INLINE void operator()(const ClassOf<T>& c, T& value, T& slope) const {
    value = -c.p_t * c.log_s;
    slope = -c.p_t;
  }
};
struct ReverseKl {
  template <class T>
  KDHOST_INLINE void operator()(const ClassOf<T>& c, T& value, T& slope) const {
    value = c.p_s * (c.log_s - c.log_t);
    slope = value + c.p_s;
  }
};
template <class M>
struct Jensen {
  M mix;
  template <class T>
  KDHOST_INLINE void operator()(const ClassOf<T>& c, T& value, T& slope) const {
    const T log_m = log_of_positive(mix * c.p_t + (1 - mix) * c.p_s);
    slope = (1 - mix) * c.p_s * (c.log_s - log_m);
    value = mix * c.p_t * (c.log_t - log_m) + slope;
  }
};
template <class M, bool with_entropy>
struct Skew {
  M mix;
  template <class T>
  KDHOST_INLINE void operator()(const ClassOf<T>& c, T& value, T& slope) const {
    const T m = mix * c.p_t + (1 - mix) * c.p_s;
    const T log_m = log_of_positive(m);
    value = c.p_t * ((with_entropy ? c.log_t : T(0)) - log_m);
    slope = m > 0 ? -c.p_t * ((1 - mix) * c.p_s / m) : T(0);
  }
};
template <class M, bool with_entropy>
struct SkewReverse {
  M mix;
  template <class T>
  KDHOST_INLINE void operator()(const ClassOf<T>& c, T& value, T& slope) const {
    const T m = mix * c.p_s + (1 - mix) * c.p_t;
    const T log_m = log_of_positive(m);
    value = c.p_s * ((with_entropy ? c.log_s : T(0)) - log_m);
    slope = value + (with_entropy ? c.p_s : T(0)) - (m > 0 ? c.p_s * (mix * c.p_s / m) : T(0));
  }
};
struct TotalVariation {
  template <class T>
  KDHOST_INLINE void operator()(const ClassOf<T>& c, T& value, T& slope) const {
    const T difference = c.p_s - c.p_t;
    const T half = difference > 0 ? T(0.5) : (difference < 0 ? T(-0.5) : T(0));
    // A difference that is not a number takes the value with it.
    value = half == 0 ? T(0.5) * difference : half * difference;
    slope = half * c.p_s;
  }
};

template <class T, class Term>
KDHOST_INLINE void pair_body(const PairRows<T>& k, const Term& term, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  const T by_s = k.student_scale, by_t = k.teacher_scale;
  std::vector<T> scratch(static_cast<std::size_t>(2 * n));
  T* e_s = scratch.data();
  T* e_t = e_s + n;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    const T* t = k.teacher + row * n;
    const T max_s = largest(s, n), max_t = largest(t, n);
    T sum_s = 0, sum_t = 0;
#pragma omp simd reduction(+ : sum_s, sum_t)
    for (std::int64_t i = 0; i < n; ++i) {
      e_s[i] = exp_of_negative((s[i] - max_s) * by_s);
      e_t[i] = exp_of_negative((t[i] - max_t) * by_t);
      sum_s += e_s[i];
      sum_t += e_t[i];
    }
    const T log_s = std::log(sum_s), log_t = std::log(sum_t), inv_s = 1 / sum_s, inv_t = 1 / sum_t;
    const T weight = k.weight ? k.weight[row] : T(1);
    T value = 0, slopes = 0;
    if (k.gradient) {
      T* g = k.gradient + row * n;
#pragma omp simd reduction(+ : value, slopes)
      for (std::int64_t i = 0; i < n; ++i) {
        const ClassOf<T> c{(s[i] - max_s) * by_s - log_s, (t[i] - max_t) * by_t - log_t, e_s[i] * inv_s,
                           e_t[i] * inv_t};
        T v, slope;
        term(c, v, slope);
        value += v;
        slopes += slope;
        g[i] = slope;
      }
      const T scale = k.gradient_scale * weight, shift = slopes * inv_s;
#pragma omp simd
      for (std::int64_t i = 0; i < n; ++i) g[i] = scale * (g[i] - e_s[i] * shift);
    } else {
#pragma omp simd reduction(+ : value)
      for (std::int64_t i = 0; i < n; ++i) {
        const ClassOf<T> c{(s[i] - max_s) * by_s - log_s, (t[i] - max_t) * by_t - log_t, e_s[i] * inv_s,
                           e_t[i] * inv_t};
        T v, slope;
        term(c, v, slope);
        value += v;
      }
    }
    k.value[row] = static_cast<double>(value) * static_cast<double>(weight);
  }
}

template <class T>
KDHOST_INLINE void by_scale_body(const PairRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  const T scale = k.student_scale;
  std::vector<T> scratch(static_cast<std::size_t>(2 * n));
  T* e_s = scratch.data();
  T* e_t = e_s + n;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    const T* t = k.teacher + row * n;
    const T max_s = largest(s, n), max_t = largest(t, n);
    T sum_s = 0, sum_t = 0, mean_s = 0, mean_t = 0, across = 0;
#pragma omp simd reduction(+ : sum_s, sum_t, mean_s, mean_t, across)
    for (std::int64_t i = 0; i < n; ++i) {
      const T a = s[i] - max_s, b = t[i] - max_t;
      e_s[i] = exp_of_negative(a * scale);
      e_t[i] = exp_of_negative(b * scale);
      sum_s += e_s[i];
      sum_t += e_t[i];
      mean_s += e_s[i] * a;
      mean_t += e_t[i] * b;
      across += e_t[i] * a;
    }
    mean_s /= sum_s;
    mean_t /= sum_t;
    across /= sum_t;
    // E_t[(z_t - E_t z_t)(log p_t - log p_s)] + E_s z_s - E_t z_s; a constant in the logarithms falls out.
    T covariance = 0;
#pragma omp simd reduction(+ : covariance)
    for (std::int64_t i = 0; i < n; ++i) {
      const T a = s[i] - max_s, b = t[i] - max_t;
      covariance += e_t[i] * (b - mean_t) * ((b - mean_t) - (a - across)) * scale;
    }
    k.value[row] = static_cast<double>(covariance / sum_t) + static_cast<double>(mean_s - across);
  }
}

template <class T>
KDHOST_INLINE void power_sum_body(const T* z, std::int64_t n, T exponent, T* sums, std::int64_t begin,
                                  std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const T* x = z + row * n;
    const T high = largest(x, n);
    T all = 0, powers = 0;
#pragma omp simd reduction(+ : all, powers)
    for (std::int64_t i = 0; i < n; ++i) {
      const T a = x[i] - high;
      all += exp_of_negative(a);
      powers += exp_of_negative(a * exponent);
    }
    sums[row] = std::exp(std::log(powers) - exponent * std::log(all));
  }
}

template <class T, class Run>
void with_term(Divergence what, T mix, const Run& run) {
  switch (what) {
    case Divergence::kl:
      return run(Kl{});
    case Divergence::cross_entropy:
      return run(CrossEntropy{});
    case Divergence::reverse_kl:
      return run(ReverseKl{});
    case Divergence::jensen:
      return run(Jensen<T>{mix});
    case Divergence::skew:
      return run(Skew<T, true>{mix});
    case Divergence::skew_ce:
      return run(Skew<T, false>{mix});
    case Divergence::skew_reverse:
      return run(SkewReverse<T, true>{mix});
    case Divergence::skew_reverse_ce:
      return run(SkewReverse<T, false>{mix});
    case Divergence::total_variation:
      return run(TotalVariation{});
  }
}

#if defined(__x86_64__)
template <class Term>
__attribute__((target("avx2,fma"))) void pair_avx2(const PairRows<float>& k, const Term& term, std::int64_t begin,
                                                   std::int64_t end) {
  pair_body(k, term, begin, end);
}
__attribute__((target("avx2,fma"))) void by_scale_avx2(const PairRows<float>& k, std::int64_t begin, std::int64_t end) {
  by_scale_body(k, begin, end);
}
__attribute__((target("avx2,fma"))) void power_sum_avx2(const float* z, std::int64_t n, float exponent, float* sums,
                                                        std::int64_t begin, std::int64_t end) {
  power_sum_body(z, n, exponent, sums, begin, end);
}
#endif

}  // namespace

void pair_rows(const PairRows<float>& k, Divergence what, std::int64_t begin, std::int64_t end) {
  with_term(what, k.mix, [&](const auto& term) {
#if defined(__x86_64__)
    if (has_avx2) return pair_avx2(k, term, begin, end);
#endif
    pair_body(k, term, begin, end);
  });
}
void pair_rows(const PairRows<double>& k, Divergence what, std::int64_t begin, std::int64_t end) {
  with_term(what, k.mix, [&](const auto& term) { pair_body(k, term, begin, end); });
}

void kl_by_scale_rows(const PairRows<float>& k, std::int64_t begin, std::int64_t end) {
#if defined(__x86_64__)
  if (has_avx2) return by_scale_avx2(k, begin, end);
#endif
  by_scale_body(k, begin, end);
}
void kl_by_scale_rows(const PairRows<double>& k, std::int64_t begin, std::int64_t end) { by_scale_body(k, begin, end); }

void power_sum_rows(const float* z, std::int64_t classes, double exponent, float* sums, std::int64_t begin,
                    std::int64_t end) {
#if defined(__x86_64__)
  if (has_avx2) return power_sum_avx2(z, classes, static_cast<float>(exponent), sums, begin, end);
#endif
  power_sum_body(z, classes, static_cast<float>(exponent), sums, begin, end);
}
void power_sum_rows(const double* z, std::int64_t classes, double exponent, double* sums, std::int64_t begin,
                    std::int64_t end) {
  power_sum_body(z, classes, exponent, sums, begin, end);
}

}  // namespace kdhost::plugins
