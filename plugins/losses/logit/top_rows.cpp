// SPDX-License-Identifier: MIT
//
// The row kernels of top_rows.hpp. Full softmaxes run once for any x86-64 processor and, for float32, once for those
// with AVX2 and FMA; the few numbers of the top classes need no vectors.
#include "top_rows.hpp"

#include <limits>
#include <numeric>

#include "../row_math.hpp"

namespace kdhost::plugins {
namespace {

template <class T>
struct Sum {
  T highest, sum;
};

/// e[i] = exp((x_i - highest) * scale) and their sum.
template <class T>
KDHOST_INLINE Sum<T> exponentials_body(const T* x, std::int64_t n, T scale, T* e) {
  const T highest = largest(x, n);
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += e[i] = exp_of_negative((x[i] - highest) * scale);
  return {highest, sum};
}
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) Sum<float> exponentials_avx2(const float* x, std::int64_t n, float scale,
                                                                 float* e) {
  return exponentials_body(x, n, scale, e);
}
#endif

Sum<float> exponentials(const float* x, std::int64_t n, float scale, float* e) {
#if defined(__x86_64__)
  if (has_avx2) return exponentials_avx2(x, n, scale, e);
#endif
  return exponentials_body(x, n, scale, e);
}
Sum<double> exponentials(const double* x, std::int64_t n, double scale, double* e) {
  return exponentials_body(x, n, scale, e);
}

/// The logarithm of the probability of all classes but those of `index`; e receives exp((x_i - their highest) * scale),
/// 0 for those of `index`.
template <class T>
T log_of_rest(const T* x, std::int64_t n, T scale, const std::int64_t* index, std::int64_t top, const Sum<T>& all,
              T* e) {
  std::vector<T> others(x, x + n);
  for (std::int64_t j = 0; j < top; ++j)
    others[static_cast<std::size_t>(index[j])] = -std::numeric_limits<T>::infinity();
  const Sum<T> rest = exponentials(others.data(), n, scale, e);
  return (rest.highest - all.highest) * scale + std::log(rest.sum / all.sum);
}

/// A number and its place as one that sorts: larger numbers first, of equals the earlier. NaN counts as the largest, as
/// LibTorch has it.
struct FloatKey {
  std::uint64_t bits;
  FloatKey(float x, std::int64_t place) {
    const std::uint32_t b = x != x ? 0x7fffffffu : __builtin_bit_cast(std::uint32_t, x + 0.0f);
    const std::uint32_t ascending = b & 0x80000000u ? ~b : b | 0x80000000u;
    bits = (static_cast<std::uint64_t>(~ascending) << 32) | static_cast<std::uint64_t>(place);
  }
  std::int64_t place() const { return static_cast<std::int64_t>(bits & 0xffffffffu); }
  bool operator<(const FloatKey& o) const { return bits < o.bits; }
};
struct DoubleKey {
  double negative;
  std::int64_t at;
  DoubleKey(double x, std::int64_t place)
      : negative(x != x ? -std::numeric_limits<double>::infinity() : -x), at(place) {}
  std::int64_t place() const { return at; }
  bool operator<(const DoubleKey& o) const { return negative < o.negative || (negative == o.negative && at < o.at); }
};

template <class T, class Key>
void top_body(const TopRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  std::vector<T> e(static_cast<std::size_t>(n));
  std::vector<Key> keys;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* t = k.teacher + row * n;
    const Sum<T> s = exponentials(t, n, k.scale, e.data());
    keys.clear();
    for (std::int64_t i = 0; i < n; ++i) keys.emplace_back(t[i], i);
    if (k.top < n) std::nth_element(keys.begin(), keys.begin() + k.top, keys.end());
    std::sort(keys.begin(), keys.begin() + k.top);
    for (std::int64_t j = 0; j < k.top; ++j) {
      const std::int64_t c = keys[static_cast<std::size_t>(j)].place();
      k.index[row * k.top + j] = c;
      k.probability[row * k.top + j] = e[static_cast<std::size_t>(c)] / s.sum;
    }
    if (k.log_rest) k.log_rest[row] = log_of_rest(t, n, k.scale, k.index + row * k.top, k.top, s, e.data());
  }
}

template <class T>
void sparse_body(const SparseRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  std::vector<T> scratch(static_cast<std::size_t>(n));
  T* e = scratch.data();
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    const std::int64_t* index = k.index + row * k.top;
    const T* p = k.probability + row * k.top;
    const Sum<T> sum = exponentials(s, n, k.scale, e);
    const T log_sum = std::log(sum.sum);
    T kept = 1;
    if (!k.log_rest) {
      kept = 0;
      for (std::int64_t j = 0; j < k.top; ++j) kept += p[j];
    }
    double value = 0;
    for (std::int64_t j = 0; j < k.top; ++j) {
      const T r = p[j] / kept, log_s = (s[index[j]] - sum.highest) * k.scale - log_sum;
      value += static_cast<double>(r) * ((r > 0 ? std::log(static_cast<double>(r)) : 0.0) - static_cast<double>(log_s));
    }
    T* g = k.gradient ? k.gradient + row * n : nullptr;
    const T by = k.gradient_scale / sum.sum;
    for (std::int64_t i = 0; g && i < n; ++i) g[i] = e[i] * by;
    for (std::int64_t j = 0; g && j < k.top; ++j) g[index[j]] -= k.gradient_scale * p[j] / kept;
    if (k.log_rest) {
      const T log_s = log_of_rest(s, n, k.scale, index, k.top, sum, e);
      const T m_t = std::exp(k.log_rest[row]);
      value += static_cast<double>(m_t) * static_cast<double>(k.log_rest[row] - log_s);
      // The others share the teacher's rest as the student shares its own.
      T sum_of_rest = 0;
      for (std::int64_t i = 0; i < n; ++i) sum_of_rest += e[i];
      for (std::int64_t i = 0; g && i < n; ++i) g[i] -= e[i] * (k.gradient_scale * m_t / sum_of_rest);
    }
    k.value[row] = value;
  }
}

// The classes are sorted, so only earlier ones are preferred to later ones.
template <class T, class Pair>
void each_pair(const RankRows<T>& k, const T* p, const Pair& pair) {
  for (std::int64_t a = 0; a < k.top; ++a)
    for (std::int64_t b = a + 1; b < k.top && p[b] > k.eps; ++b)
      if (p[a] > p[b] + k.eps) pair(a, b);
}

template <class T>
double count_body(const RankRows<T>& k, std::int64_t row) {
  std::int64_t count = 0;
  each_pair(k, k.probability + row * k.top, [&](std::int64_t, std::int64_t) { ++count; });
  return static_cast<double>(count);
}

template <class T>
void rank_body(const RankRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  std::vector<T> scratch(static_cast<std::size_t>(n + 2 * k.top));
  T* e = scratch.data();
  T* x = e + n;          // what is compared: the student's probabilities or logits of the top classes
  T* slope = x + k.top;  // and the derivative by it
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    const std::int64_t* index = k.index + row * k.top;
    const T* p = k.probability + row * k.top;
    T inv_sum = 0;
    if (k.hinge) inv_sum = 1 / exponentials(s, n, T(1), e).sum;
    for (std::int64_t j = 0; j < k.top; ++j) {
      x[j] = k.hinge ? e[index[j]] * inv_sum : s[index[j]];
      slope[j] = 0;
    }
    // Numbers that are none reach the value, even where the teacher prefers no class.
    double value = 0.0 * static_cast<double>(std::accumulate(x, x + k.top, T(0)));
    each_pair(k, p, [&](std::int64_t a, std::int64_t b) {
      const T apart = x[a] - x[b];
      T by;
      if (k.hinge) {
        const T missing = (k.own_margin ? k.margin : p[a] - p[b]) - apart;
        value += missing > 0 ? static_cast<double>(missing) : 0.0;
        by = missing > 0 ? T(-1) : T(0);
      } else {
        // log(1 + e^-d) and its derivative, whatever the sign of d.
        const T small = std::exp(-std::fabs(apart));
        value += static_cast<double>((apart < 0 ? -apart : T(0)) + std::log1p(small));
        by = -(apart < 0 ? T(1) : small) / (1 + small);
      }
      slope[a] += by;
      slope[b] -= by;
    });
    k.value[row] = value;
    if (!k.gradient) continue;
    T* g = k.gradient + row * n;
    T total = 0;
    if (k.hinge)
      for (std::int64_t j = 0; j < k.top; ++j) total += slope[j] * x[j];
    for (std::int64_t i = 0; i < n; ++i) g[i] = k.hinge ? -k.gradient_scale * e[i] * inv_sum * total : T(0);
    for (std::int64_t j = 0; j < k.top; ++j) g[index[j]] += k.gradient_scale * slope[j] * (k.hinge ? x[j] : T(1));
  }
}

}  // namespace

void top_rows(const TopRows<float>& k, std::int64_t begin, std::int64_t end) {
  top_body<float, FloatKey>(k, begin, end);
}
void top_rows(const TopRows<double>& k, std::int64_t begin, std::int64_t end) {
  top_body<double, DoubleKey>(k, begin, end);
}
void sparse_rows(const SparseRows<float>& k, std::int64_t begin, std::int64_t end) { sparse_body(k, begin, end); }
void sparse_rows(const SparseRows<double>& k, std::int64_t begin, std::int64_t end) { sparse_body(k, begin, end); }
double count_pairs(const RankRows<float>& k, std::int64_t row) { return count_body(k, row); }
double count_pairs(const RankRows<double>& k, std::int64_t row) { return count_body(k, row); }
void rank_rows(const RankRows<float>& k, std::int64_t begin, std::int64_t end) { rank_body(k, begin, end); }
void rank_rows(const RankRows<double>& k, std::int64_t begin, std::int64_t end) { rank_body(k, begin, end); }

}  // namespace kdhost::plugins
