// SPDX-License-Identifier: MIT
//
// The row kernels of label_rows.hpp, compiled once for any x86-64 processor and, for float32, once for those with AVX2
// and FMA.
#include "label_rows.hpp"

#include "../row_math.hpp"

namespace kdhost::plugins {
namespace {

/// The classes that are not the label, of one row at one temperature: e[i] = exp((z_i - highest) / T), their sum, and
/// the log-odds of the label against all of them.
template <class T>
struct Others {
  T highest, sum, log_sum, log_odds;
};

template <class T>
KDHOST_INLINE Others<T> others_of(const T* z, std::int64_t n, std::int64_t y, T inv_t, T* e) {
  Others<T> o{};
  if (y == 0)
    o.highest = largest(z + 1, n - 1);
  else if (y == n - 1)
    o.highest = largest(z, n - 1);
  else
    o.highest = std::max(largest(z, y), largest(z + y + 1, n - y - 1));
  const T highest = o.highest;
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < y; ++i) sum += e[i] = exp_of_negative((z[i] - highest) * inv_t);
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = y + 1; i < n; ++i) sum += e[i] = exp_of_negative((z[i] - highest) * inv_t);
  o.sum = sum;
  o.log_sum = std::log(sum);
  o.log_odds = (z[y] - highest) * inv_t - o.log_sum;
  return o;
}

/// The two-class distribution of log-odds x, in double: it decides how exact the whole is.
struct Binary {
  double yes, no, log_yes, log_no;
  explicit Binary(double x) {
    const double e = std::exp(-std::fabs(x)), log = std::log1p(e), large = 1.0 / (1.0 + e);
    yes = x < 0 ? e * large : large;
    no = x < 0 ? large : e * large;
    log_yes = x < 0 ? x - log : -log;
    log_no = x < 0 ? -log : -x - log;
  }
};

/// Adds over the others q_t (log q_t - log q_s), or -q_t log q_s; nothing where there is only one of them.
template <bool with_entropy, class T>
KDHOST_INLINE T rest_value(const T* s, const T* t, std::int64_t from, std::int64_t to, const Others<T>& o_s,
                           const Others<T>& o_t, const T* e_t, T inv_t) {
  T value = 0;
  const T q = 1 / o_t.sum;
#pragma omp simd reduction(+ : value)
  for (std::int64_t i = from; i < to; ++i) {
    const T log_s = (s[i] - o_s.highest) * inv_t - o_s.log_sum;
    const T log_t = (t[i] - o_t.highest) * inv_t - o_t.log_sum;
    value += e_t[i] * q * ((with_entropy ? log_t : T(0)) - log_s);
  }
  return value;
}

template <class T>
KDHOST_INLINE void keep_parts(const LabelRows<T>& k, std::int64_t row, double target, T rest) {
  if (!k.target_value) return;
  k.target_value[row] = target;
  k.rest_value[row] = static_cast<double>(rest);
}

template <class T>
KDHOST_INLINE void dkd_body(const LabelRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  const T inv_t = k.inv_temperature;
  std::vector<T> scratch(static_cast<std::size_t>(2 * n));
  T* e_s = scratch.data();
  T* e_t = e_s + n;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    const T* t = k.teacher + row * n;
    const std::int64_t y = k.label[row * k.label_stride];
    const Others<T> o_s = others_of(s, n, y, inv_t, e_s), o_t = others_of(t, n, y, inv_t, e_t);
    const Binary b_s(static_cast<double>(o_s.log_odds)), b_t(static_cast<double>(o_t.log_odds));
    const double target = b_t.yes * (b_t.log_yes - b_s.log_yes) + b_t.no * (b_t.log_no - b_s.log_no);
    const T rest =
        rest_value<true>(s, t, 0, y, o_s, o_t, e_t, inv_t) + rest_value<true>(s, t, y + 1, n, o_s, o_t, e_t, inv_t);
    k.value[row] = static_cast<double>(k.target) * target + static_cast<double>(k.rest) * static_cast<double>(rest);
    keep_parts(k, row, target, rest);
    if (!k.gradient) continue;
    // The binary part moves by the log-odds: 1 for the label, -q_s for each of the others.
    T* g = k.gradient + row * n;
    const T odds = k.gradient_scale * k.target * static_cast<T>(b_s.yes - b_t.yes);
    const T by_s = (k.gradient_scale * k.rest - odds) / o_s.sum, by_t = k.gradient_scale * k.rest / o_t.sum;
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) g[i] = e_s[i] * by_s - e_t[i] * by_t;
    if (n == 2) g[1 - y] = -odds;  // exactly, whatever the weight of the part that two classes do not have
    g[y] = odds;
  }
}

template <class T>
KDHOST_INLINE void nkd_body(const LabelRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  const T inv_t = k.inv_temperature;
  std::vector<T> scratch(static_cast<std::size_t>(3 * n));
  T* e_s = scratch.data();
  T* e_t = e_s + n;
  T* e_1 = e_t + n;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    const T* t = k.teacher + row * n;
    const std::int64_t y = k.label[row * k.label_stride];
    const Others<T> t_1 = others_of(t, n, y, T(1), e_t), s_1 = others_of(s, n, y, T(1), e_1);
    const double p_ty = Binary(static_cast<double>(t_1.log_odds)).yes;
    const Binary b_s(static_cast<double>(s_1.log_odds));
    const double target = -p_ty * b_s.log_yes;
    const Others<T> o_s = others_of(s, n, y, inv_t, e_s), o_t = others_of(t, n, y, inv_t, e_t);
    // One class left is certain on both sides: its cross-entropy is 0.
    const T rest =
        rest_value<false>(s, t, 0, y, o_s, o_t, e_t, inv_t) + rest_value<false>(s, t, y + 1, n, o_s, o_t, e_t, inv_t);
    k.value[row] = static_cast<double>(k.target) * target + static_cast<double>(k.rest) * static_cast<double>(rest);
    keep_parts(k, row, target, rest);
    if (!k.gradient) continue;
    T* g = k.gradient + row * n;
    const T odds = -k.gradient_scale * k.target * static_cast<T>(p_ty * b_s.no);
    const T by_1 = -odds / s_1.sum;
    const T both = n == 2 ? T(0) : k.gradient_scale * k.rest * inv_t, by_s = both / o_s.sum, by_t = both / o_t.sum;
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) g[i] = e_1[i] * by_1 + e_s[i] * by_s - e_t[i] * by_t;
    g[y] = odds;
  }
}

/// e[i] = exp((x_i - highest) * scale) with highest = max x; the sum.
template <class T>
KDHOST_INLINE T exponentials(const T* x, std::int64_t n, T highest, T scale, T* e) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += e[i] = exp_of_negative((x[i] - highest) * scale);
  return sum;
}

template <class T>
KDHOST_INLINE void mft_body(const LabelRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  const T inv_t = k.inv_temperature;
  std::vector<T> scratch(static_cast<std::size_t>(2 * n));
  T* e_s = scratch.data();
  T* e_t = e_s + n;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    const T* t = k.teacher + row * n;
    const std::int64_t y = k.label[row * k.label_stride];
    const T max_s = largest(s, n), max_t = largest(t, n);
    const T sum_s = exponentials(s, n, max_s, inv_t, e_s), sum_t = exponentials(t, n, max_t, inv_t, e_t);
    const T log_s = std::log(sum_s), log_t = std::log(sum_t), inv_s = 1 / sum_s, inv_sum_t = 1 / sum_t;
    // The teacher's first largest class is right where the label is as large and stands no later.
    const bool right = [&] {
      for (std::int64_t i = 0; i < n; ++i)
        if (t[i] == max_t) return i == y;
      return false;
    }();
    const double p_a = static_cast<double>(inv_sum_t), p_y = static_cast<double>(e_t[y] * inv_sum_t);
    const double threshold = static_cast<double>(k.target);
    const double cap = std::min(1.0, p_y + threshold);
    const double mix = right ? (cap - p_a) / (1.0 - p_a + 1e-7) : (p_a - p_y + threshold) / (1.0 + p_a - p_y + 1e-7);
    const T keep = static_cast<T>(1.0 - mix);
    const T log_keep = keep > 0 ? std::log(keep) : T(0);
    // Everything as if no class were the label, then the label's own class put right.
    T value = 0;
#pragma omp simd reduction(+ : value)
    for (std::int64_t i = 0; i < n; ++i) {
      const T a_s = (s[i] - max_s) * inv_t - log_s, a_t = (t[i] - max_t) * inv_t - log_t;
      value += i == y ? T(0) : e_t[i] * (a_t + log_keep - a_s);
    }
    const double corrected = static_cast<double>(keep) * p_y + mix;
    const double log_sy = static_cast<double>((s[y] - max_s) * inv_t - log_s);
    k.value[row] = static_cast<double>(value * inv_sum_t * keep) +
                   (corrected > 0 ? corrected * (std::log(corrected) - log_sy) : 0.0);
    if (!k.gradient) continue;
    T* g = k.gradient + row * n;
    const T by_s = k.gradient_scale * inv_s, by_t = k.gradient_scale * inv_sum_t * keep;
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) g[i] = e_s[i] * by_s - e_t[i] * by_t;
    g[y] -= k.gradient_scale * static_cast<T>(mix);
  }
}

template <class T>
KDHOST_INLINE void gated_body(const LabelRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  std::vector<T> scratch(static_cast<std::size_t>(2 * n));
  T* e_s = scratch.data();
  T* e_t = e_s + n;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* s = k.student + row * n;
    const T* t = k.teacher + row * n;
    T* g = k.gradient ? k.gradient + row * n : nullptr;
    const T max_s = largest(s, n), max_t = largest(t, n);
    const T at_one = exponentials(t, n, max_t, T(1), e_t);
    const bool sure = 1 / at_one >= k.target;
    k.mark[row] = sure ? T(1) : T(0);
    const T scale = sure ? k.inv_temperature : T(1);
    const T sum_s = exponentials(s, n, max_s, scale, e_s), log_s = std::log(sum_s);
    if (!sure) {
      const std::int64_t y = k.label[row * k.label_stride];
      // at_one is part of it only where the teacher holds what is no number.
      const T value = log_s - (s[y] - max_s) + (at_one == at_one ? T(0) : at_one);
      k.value[row] = static_cast<double>(value);
      const T by = k.gradient_scale / sum_s;
      for (std::int64_t i = 0; g && i < n; ++i) g[i] = e_s[i] * by;
      if (g) g[y] -= k.gradient_scale;
      continue;
    }
    const T sum_t = exponentials(t, n, max_t, scale, e_t), log_t = std::log(sum_t);
    T value = 0;
#pragma omp simd reduction(+ : value)
    for (std::int64_t i = 0; i < n; ++i)
      value += e_t[i] * (((t[i] - max_t) * scale - log_t) - ((s[i] - max_s) * scale - log_s));
    k.value[row] = static_cast<double>(k.rest * value / sum_t);
    const T by = k.gradient_scale * k.rest * scale, by_s = by / sum_s, by_t = by / sum_t;
    for (std::int64_t i = 0; g && i < n; ++i) g[i] = e_s[i] * by_s - e_t[i] * by_t;
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void gated_avx2(const LabelRows<float>& k, std::int64_t begin, std::int64_t end) {
  gated_body(k, begin, end);
}
__attribute__((target("avx2,fma"))) void dkd_avx2(const LabelRows<float>& k, std::int64_t begin, std::int64_t end) {
  dkd_body(k, begin, end);
}
__attribute__((target("avx2,fma"))) void nkd_avx2(const LabelRows<float>& k, std::int64_t begin, std::int64_t end) {
  nkd_body(k, begin, end);
}
__attribute__((target("avx2,fma"))) void mft_avx2(const LabelRows<float>& k, std::int64_t begin, std::int64_t end) {
  mft_body(k, begin, end);
}
#endif

}  // namespace

void dkd_rows(const LabelRows<float>& k, std::int64_t begin, std::int64_t end) {
#if defined(__x86_64__)
  if (has_avx2) return dkd_avx2(k, begin, end);
#endif
  dkd_body(k, begin, end);
}
void nkd_rows(const LabelRows<float>& k, std::int64_t begin, std::int64_t end) {
#if defined(__x86_64__)
  if (has_avx2) return nkd_avx2(k, begin, end);
#endif
  nkd_body(k, begin, end);
}
void mft_rows(const LabelRows<float>& k, std::int64_t begin, std::int64_t end) {
#if defined(__x86_64__)
  if (has_avx2) return mft_avx2(k, begin, end);
#endif
  mft_body(k, begin, end);
}
void gated_rows(const LabelRows<float>& k, std::int64_t begin, std::int64_t end) {
#if defined(__x86_64__)
  if (has_avx2) return gated_avx2(k, begin, end);
#endif
  gated_body(k, begin, end);
}
void gated_rows(const LabelRows<double>& k, std::int64_t begin, std::int64_t end) { gated_body(k, begin, end); }
void dkd_rows(const LabelRows<double>& k, std::int64_t begin, std::int64_t end) { dkd_body(k, begin, end); }
void nkd_rows(const LabelRows<double>& k, std::int64_t begin, std::int64_t end) { nkd_body(k, begin, end); }
void mft_rows(const LabelRows<double>& k, std::int64_t begin, std::int64_t end) { mft_body(k, begin, end); }

}  // namespace kdhost::plugins
