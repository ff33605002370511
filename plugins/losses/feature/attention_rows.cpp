// SPDX-License-Identifier: MIT
#include "attention_rows.hpp"

#include <cmath>

namespace kdhost::plugins {
namespace {

/// unit = mean over the channels of f^2, divided by max(|.|_2, 1e-12), which is returned.
template <class T>
T activity(const AttentionMap<T>& map, std::int64_t sample, std::int64_t positions, T* unit) {
  const std::int64_t channels = map.channels;
  const T* f = map.data + sample * channels * positions;
  if (map.channels_last) {
    for (std::int64_t p = 0; p < positions; ++p, f += channels) {
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t c = 0; c < channels; ++c) sum += f[c] * f[c];
      unit[p] = sum;
    }
  } else {
    for (std::int64_t p = 0; p < positions; ++p) unit[p] = 0;
    for (std::int64_t c = 0; c < channels; ++c, f += positions) {
#pragma omp simd
      for (std::int64_t p = 0; p < positions; ++p) unit[p] += f[p] * f[p];
    }
  }
  const T share = T(1) / static_cast<T>(channels);
  double squares = 0;
  for (std::int64_t p = 0; p < positions; ++p) {
    unit[p] *= share;
    squares += static_cast<double>(unit[p]) * static_cast<double>(unit[p]);
  }
  const T length = std::fmax(static_cast<T>(std::sqrt(squares)), static_cast<T>(1e-12));
  for (std::int64_t p = 0; p < positions; ++p) unit[p] /= length;
  return length;
}

template <class T>
void rows(const AttentionRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.positions;
  for (std::int64_t sample = begin; sample < end; ++sample) {
    T *s = k.room + sample * 2 * n, *t = s + n;
    const T length = activity(k.student, sample, n, s);
    activity(k.teacher, sample, n, t);
    double value = 0;
    for (std::int64_t p = 0; p < n; ++p) {
      t[p] = s[p] - t[p];
      value += k.term == AttentionTerm::absolute ? static_cast<double>(std::fabs(t[p]))
                                                 : static_cast<double>(t[p]) * static_cast<double>(t[p]);
    }
    if (k.term == AttentionTerm::distance) value = std::sqrt(value);
    k.value[sample] = value;
    if (k.gradient == nullptr) continue;
    // d (sum of squares) = 2 t, d |t| = t / |t|, d (sum of |t_p|) = sign t, and through s = v / |v|:
    // (g - s (s . g)) / |v|. At the floor of the length nothing goes through it. The factor 2 of d f^2 is in
    // gradient_scale.
    if (k.term == AttentionTerm::absolute)
      for (std::int64_t p = 0; p < n; ++p) t[p] = t[p] > 0 ? T(1) : (t[p] < 0 ? T(-1) : t[p]);
    double along = 0;
    for (std::int64_t p = 0; p < n; ++p) along += static_cast<double>(t[p]) * static_cast<double>(s[p]);
    const double outer = k.term == AttentionTerm::squares
                             ? 2.0
                             : (k.term == AttentionTerm::absolute ? 1.0 : (value > 0 ? 1 / value : 0.0));
    const T scale = static_cast<T>(outer) * k.gradient_scale / length;
    const T radial = length > static_cast<T>(1e-12) ? static_cast<T>(along) : T(0);
    T* g = k.gradient + sample * n;
    for (std::int64_t p = 0; p < n; ++p) g[p] = scale * (t[p] - s[p] * radial);
  }
}

}  // namespace

void attention_rows(const AttentionRows<float>& k, std::int64_t begin, std::int64_t end) noexcept {
  rows(k, begin, end);
}
void attention_rows(const AttentionRows<double>& k, std::int64_t begin, std::int64_t end) noexcept {
  rows(k, begin, end);
}

}  // namespace kdhost::plugins
