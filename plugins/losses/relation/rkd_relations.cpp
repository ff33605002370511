// SPDX-License-Identifier: MIT
//
// The arithmetic of rkd_relations.hpp. Plain loops that the compiler turns into vector instructions (-O3
// -fopenmp-simd, which links no OpenMP), once for any x86-64 processor and once for those with AVX2 and FMA. Each
// anchor's row is summed in a fixed order, so results do not depend on the number of threads.
#include "rkd_relations.hpp"

#include <algorithm>
#include <cmath>

#include "../row_math.hpp"

namespace kdhost::plugins {
namespace {

using Numbers = std::vector<double>;

std::size_t index_of(std::int64_t i) { return static_cast<std::size_t>(i); }

/// One side: products of the centred embeddings, and 1 / |e_i - e_j|, 0 where samples coincide. Centred because the
/// differences do not change and the products cancel less.
struct Side {
  std::int64_t n;
  Numbers products, inverse;
  double square(std::int64_t i, std::int64_t j) const {
    return products[index_of(i * n + i)] + products[index_of(j * n + j)] - 2.0 * products[index_of(i * n + j)];
  }
};

/// The angles A_ijk at anchor i for one j and every k.
struct AngleRows {
  std::int64_t n;
  const double *student, *teacher;                  ///< products
  const double *student_inverse, *teacher_inverse;  ///< 1 / distance
  double* value;                                    ///< [N], sum over i and k
  double* pull;                                     ///< [N, N], sum over i of P_ijk; null: no gradient
  double* pulled;                                   ///< [N, N] at (j, i), sum over k of P_ijk
  double* along;                                    ///< [N, N] at (j, i), sum over k of w_ijk A_ijk / |e_j - e_i|^2
};

KDHOST_INLINE void angles_body(const AngleRows& a, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = a.n;
  for (std::int64_t j = begin; j < end; ++j) {
    double value = 0;
    double* pull = a.pull ? a.pull + j * n : nullptr;
    for (std::int64_t i = 0; i < n; ++i) {
      const double *sj = a.student + j * n, *si = a.student + i * n;
      const double *tj = a.teacher + j * n, *ti = a.teacher + i * n;
      const double *rs = a.student_inverse + i * n, *rt = a.teacher_inverse + i * n;
      const double s0 = si[i] - si[j], t0 = ti[i] - ti[j], rsj = rs[j], rtj = rt[j];
      if (pull) {
        double pulled = 0, along = 0;
#pragma omp simd reduction(+ : value, pulled, along)
        for (std::int64_t k = 0; k < n; ++k) {
          const double angle = (sj[k] - si[k] + s0) * rsj * rs[k];
          const double d = angle - (tj[k] - ti[k] + t0) * rtj * rt[k];
          const double w = d > 1.0 ? 1.0 : d < -1.0 ? -1.0 : d;
          value += w * (d - 0.5 * w);
          const double p = w * rsj * rs[k];
          pull[k] += p;
          pulled += p;
          along += w * angle;
        }
        a.pulled[j * n + i] = pulled;
        a.along[j * n + i] = along * rsj * rsj;
      } else {
#pragma omp simd reduction(+ : value)
        for (std::int64_t k = 0; k < n; ++k) {
          const double d = (sj[k] - si[k] + s0) * rsj * rs[k] - (tj[k] - ti[k] + t0) * rtj * rt[k];
          const double w = d > 1.0 ? 1.0 : d < -1.0 ? -1.0 : d;
          value += w * (d - 0.5 * w);
        }
      }
    }
    a.value[j] = value;
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void angles_avx2(const AngleRows& a, std::int64_t begin, std::int64_t end) {
  angles_body(a, begin, end);
}
const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif

void angles(const AngleRows& a, std::int64_t begin, std::int64_t end) {
#if defined(__x86_64__)
  if (has_avx2) return angles_avx2(a, begin, end);
#endif
  angles_body(a, begin, end);
}

/// Rows a thread takes at least, where a row takes `operations`.
std::int64_t grain(std::int64_t operations) {
  return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, operations));
}

template <class T>
Side side_of(const T* rows, std::int64_t width, std::int64_t n) {
  Numbers mean(index_of(width), 0.0), centred(index_of(n * width));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t c = 0; c < width; ++c) mean[index_of(c)] += static_cast<double>(rows[i * width + c]);
  for (double& m : mean) m /= static_cast<double>(n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t c = 0; c < width; ++c)
      centred[index_of(i * width + c)] = static_cast<double>(rows[i * width + c]) - mean[index_of(c)];
  Side side{n, sample_products(centred.data(), width, n), Numbers(index_of(n * n), 0.0)};
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      if (const double square = side.square(i, j); square > 0)
        side.inverse[index_of(i * n + j)] = 1.0 / std::sqrt(square);
  return side;
}

/// Distances divided by their mean; the floor of 1e-12 under the root.
struct Distances {
  Numbers scaled;
  double mean = 0;
};

Distances distances_of(const Side& side) {
  Distances d{Numbers(index_of(side.n * side.n), 0.0), 0};
  double sum = 0;
  for (std::int64_t i = 0; i < side.n; ++i)
    for (std::int64_t j = 0; j < side.n; ++j) {
      if (i == j) continue;
      const double square = side.square(i, j);
      sum += d.scaled[index_of(i * side.n + j)] = std::sqrt(square < 1e-12 ? 1e-12 : square);
    }
  // Off the diagonal every entry is at least 1e-6, so the entries > 0 are exactly these.
  d.mean = sum / static_cast<double>(side.n * (side.n - 1));
  for (double& x : d.scaled) x /= d.mean;
  return d;
}

double clamped(double d) { return d > 1.0 ? 1.0 : d < -1.0 ? -1.0 : d; }

void add_distances(const Side& student, const Side& teacher, double weight, RkdResult& result) {
  const std::int64_t n = student.n;
  const auto entries = static_cast<double>(n * n);
  const Distances s = distances_of(student), t = distances_of(teacher);
  double value = 0, through_mean = 0;
  for (std::size_t at = 0; at < s.scaled.size(); ++at) {
    const double d = s.scaled[at] - t.scaled[at], w = clamped(d);
    value += w * (d - 0.5 * w);
    through_mean += w * s.scaled[at];
  }
  result.distance = value / entries;
  result.value += weight * value / entries;
  if (result.pull.empty()) return;
  through_mean /= static_cast<double>(n * (n - 1));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      if (i == j || student.square(i, j) < 1e-12) continue;  // no gradient through the floor
      const std::size_t at = index_of(i * n + j);
      const double to_distance = weight / (s.mean * entries) * (clamped(s.scaled[at] - t.scaled[at]) - through_mean);
      // d_ij and d_ji both hold |e_i - e_j|.
      const double pull = 2.0 * to_distance / (s.scaled[at] * s.mean);
      result.pull[index_of(i * n + i)] += pull;
      result.pull[at] -= pull;
    }
}

void add_angles(const Side& student, const Side& teacher, double weight, RkdResult& result) {
  const std::int64_t n = student.n;
  const bool wants_gradient = !result.pull.empty();
  const double entries = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
  const double share = weight / entries;
  const std::size_t matrix = wants_gradient ? index_of(n * n) : 0;
  Numbers values(index_of(n)), pull(matrix, 0.0), pulled(matrix), along(matrix);
  const AngleRows work{n,
                       student.products.data(),
                       teacher.products.data(),
                       student.inverse.data(),
                       teacher.inverse.data(),
                       values.data(),
                       wants_gradient ? pull.data() : nullptr,
                       pulled.data(),
                       along.data()};
  parallel_for(n, grain(n * n), [&](std::int64_t begin, std::int64_t end) { angles(work, begin, end); });
  for (const double v : values) {
    result.angle += v / entries;
    result.value += share * v;
  }
  if (!wants_gradient) return;
  // A_ijk is symmetric in j and k, so v_ij receives sum_k 2 share w v_ik, of which only the part across v_ij counts:
  // g_ij = sum_k P_ijk (e_k - e_i) - S_ij (e_j - e_i). It goes to sample j, and its negative to the anchor i.
  const double twice = 2.0 * share;
  for (std::int64_t j = 0; j < n; ++j)
    for (std::int64_t i = 0; i < n; ++i) {
      const std::size_t ji = index_of(j * n + i), ij = index_of(i * n + j);
      const double p = twice * pulled[ji], s = twice * along[ji];
      result.pull[ji] += twice * pull[ji] + s - p;
      result.pull[index_of(j * n + j)] -= s;
      result.pull[ij] += s - p;
      result.pull[index_of(i * n + i)] += p - s;
    }
}

template <class T>
RkdResult relations(const T* student, std::int64_t student_width, const T* teacher, std::int64_t teacher_width,
                    std::int64_t n, RkdWeights weights, bool wants_gradient) {
  const Side s = side_of(student, student_width, n), t = side_of(teacher, teacher_width, n);
  RkdResult result;
  if (wants_gradient) result.pull.assign(index_of(n * n), 0.0);
  if (weights.distance > 0) add_distances(s, t, weights.distance, result);
  if (weights.angle > 0) add_angles(s, t, weights.angle, result);
  return result;
}

}  // namespace

RkdResult rkd_relations(const float* student, std::int64_t student_width, const float* teacher,
                        std::int64_t teacher_width, std::int64_t n, RkdWeights weights, bool wants_gradient) {
  return relations(student, student_width, teacher, teacher_width, n, weights, wants_gradient);
}
RkdResult rkd_relations(const double* student, std::int64_t student_width, const double* teacher,
                        std::int64_t teacher_width, std::int64_t n, RkdWeights weights, bool wants_gradient) {
  return relations(student, student_width, teacher, teacher_width, n, weights, wants_gradient);
}

}  // namespace kdhost::plugins
