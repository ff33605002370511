// SPDX-License-Identifier: MIT
//
// The kernel of element_sums.hpp: one loop for all terms. Compiled once for any x86-64 processor and, for float32, once
// for those with AVX2 and FMA.
#include "element_sums.hpp"

#include <algorithm>

#include "row_math.hpp"

namespace kdhost::plugins {
namespace {

template <class T>
struct ValueAndSlope {
  T value, slope;  ///< of one number, d value / d s
};

// A NaN on either side stays one in each term.
struct SmoothL1 {
  template <class T>
  KDHOST_INLINE ValueAndSlope<T> operator()(T s, T t, T beta) const {
    const T d = s - t, size = d < 0 ? -d : d, slope = d > 0 ? T(1) : (d < 0 ? T(-1) : d);
    const bool square = size < beta;
    return {square ? T(0.5) * d * d / beta : size - T(0.5) * beta, square ? d / beta : slope};
  }
};
struct YesOrNo {
  /// log(1 + e) for e in [0, 1]; where e is small its own series, of which nothing is lost.
  static KDHOST_INLINE float log_1p(float e) {
    const float exact = log_of_positive(1.0f + e), series = e * (1.0f - e * (0.5f - e * (1.0f / 3.0f - e * 0.25f)));
    return e < 0.01f ? series : exact;
  }
  static KDHOST_INLINE double log_1p(double e) { return std::log1p(e); }

  template <class T>
  KDHOST_INLINE ValueAndSlope<T> operator()(T s, T t, T positive) const {
    const T size = s < 0 ? -s : s, e = exp_of_negative(-size);
    const T weight = 1 + (positive - 1) * t, inv = 1 / (1 + e);
    const T no = s < 0 ? inv : e * inv, below = s < 0 ? size : T(0);  // no: sigmoid(-s)
    return {(1 - t) * s + weight * (log_1p(e) + below), (1 - t) - weight * no};
  }
};
struct Boundary {
  template <class T>
  KDHOST_INLINE ValueAndSlope<T> operator()(T s, T t, T margin) const {
    const T towards = t > 0 ? T(-1) : (t <= 0 ? T(1) : t), missing = s * towards + margin;
    const T counted = missing < 0 ? T(0) : missing;
    return {counted * counted, 2 * counted * towards};
  }
};
struct KeptSquares {
  template <class T>
  KDHOST_INLINE ValueAndSlope<T> operator()(T s, T t, T least) const {
    const T d = (s <= least ? T(0) : s) - (t <= least ? T(0) : t);
    return {d * d, s <= least ? T(0) : 2 * d};
  }
};

template <class T, class Term>
KDHOST_INLINE void body(const Elements<T>& k, const Term& term, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kRow = 512;  // added up in T, rows in double
  // Copies: what is read through `k` the compiler must read again after each write of the gradient.
  const T *s = k.student, *t = k.target;
  const T parameter = k.parameter, scale = k.gradient_scale;
  for (std::int64_t block = begin; block < end; ++block) {
    const std::int64_t last = std::min(k.count, (block + 1) * kElementBlock);
    double total = 0;
    for (std::int64_t i = block * kElementBlock; i < last; i += kRow) {
      const std::int64_t stop = std::min(last, i + kRow);
      T sum = 0;
      if (T* g = k.gradient; g != nullptr) {
#pragma omp simd reduction(+ : sum)
        for (std::int64_t j = i; j < stop; ++j) {
          const ValueAndSlope<T> of = term(s[j], t[j], parameter);
          sum += of.value;
          g[j] = of.slope * scale;
        }
      } else {
#pragma omp simd reduction(+ : sum)
        for (std::int64_t j = i; j < stop; ++j) sum += term(s[j], t[j], parameter).value;
      }
      total += static_cast<double>(sum);
    }
    k.sums[block] = total;
  }
}

template <class T>
KDHOST_INLINE void chosen(ElementTerm term, const Elements<T>& k, std::int64_t begin, std::int64_t end) {
  switch (term) {
    case ElementTerm::smooth_l1:
      return body(k, SmoothL1{}, begin, end);
    case ElementTerm::yes_or_no:
      return body(k, YesOrNo{}, begin, end);
    case ElementTerm::boundary:
      return body(k, Boundary{}, begin, end);
    case ElementTerm::kept_squares:
      return body(k, KeptSquares{}, begin, end);
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void sums_avx2(ElementTerm term, const Elements<float>& k, std::int64_t begin,
                                                   std::int64_t end) {
  chosen(term, k, begin, end);
}
#endif

template <class T>
Extremes<T> range(const T* x, std::int64_t n) {
  T least = x[0], most = x[0], nothing = 0;  // 0 times each number: NaN where one is not finite
#pragma omp simd reduction(min : least) reduction(max : most) reduction(+ : nothing)
  for (std::int64_t i = 0; i < n; ++i) {
    least = x[i] < least ? x[i] : least;
    most = x[i] > most ? x[i] : most;
    nothing += x[i] * T(0);
  }
  return nothing == 0 ? Extremes<T>{least, most} : Extremes<T>{nothing, nothing};
}

}  // namespace

void element_sums(ElementTerm term, const Elements<float>& k, std::int64_t begin, std::int64_t end) noexcept {
#if defined(__x86_64__)
  if (has_avx2) return sums_avx2(term, k, begin, end);
#endif
  chosen(term, k, begin, end);
}
void element_sums(ElementTerm term, const Elements<double>& k, std::int64_t begin, std::int64_t end) noexcept {
  chosen(term, k, begin, end);
}

Extremes<float> extremes(const float* x, std::int64_t n) noexcept { return range(x, n); }
Extremes<double> extremes(const double* x, std::int64_t n) noexcept { return range(x, n); }

}  // namespace kdhost::plugins
