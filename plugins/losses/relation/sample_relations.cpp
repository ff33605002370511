// SPDX-License-Identifier: MIT
//
// The arithmetic of sample_relations.hpp. The products are the only part whose cost grows with the width: half of a
// matrix product, since it is symmetric, in blocks of 4 x 3 rows that stay in registers where the processor has AVX2.
#include "sample_relations.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../row_math.hpp"

namespace kdhost::plugins {
namespace {

std::size_t index_of(std::int64_t i) { return static_cast<std::size_t>(i); }

constexpr std::int64_t kChunk = 1024;  ///< numbers of each row at a time: the rows of a batch stay in the cache
constexpr std::int64_t kMargin = 3;    ///< rows of zeros behind the last one, so that blocks may stick out

/// Sums of one piece of the width.
template <class T>
struct Piece {
  const T* rows;
  std::int64_t width, n, begin, end;
  std::int64_t pitch;  ///< of packed rows; a power of two would put all of them into few lines of the cache
  T* packed;           ///< [n + kMargin, pitch]; the margin is 0
  double* out;         ///< [n + kMargin, n + kMargin], the upper triangle is added to
};

template <class T>
KDHOST_INLINE void pack(const Piece<T>& p, std::int64_t from, std::int64_t length, std::int64_t padded) {
  for (std::int64_t i = 0; i < p.n; ++i) {
    std::memcpy(p.packed + i * p.pitch, p.rows + i * p.width + from, index_of(length) * sizeof(T));
    std::fill(p.packed + i * p.pitch + length, p.packed + i * p.pitch + padded, T(0));
  }
}

/// For any processor.
template <class T>
void add_products(const Piece<T>& p) {
  for (std::int64_t from = p.begin; from < p.end; from += kChunk) {
    const std::int64_t length = std::min(kChunk, p.end - from);
    pack(p, from, length, length);
    for (std::int64_t i = 0; i < p.n; ++i)
      for (std::int64_t j = i; j < p.n; ++j) {
        const T *a = p.packed + i * p.pitch, *b = p.packed + j * p.pitch;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t k = 0; k < length; ++k) sum += static_cast<double>(a[k]) * static_cast<double>(b[k]);
        p.out[i * (p.n + kMargin) + j] += sum;
      }
  }
}

#if defined(__x86_64__)
#define KDHOST_AVX2 __attribute__((target("avx2,fma")))

/// 4 rows times 3 others: 12 sums and their factors fill the 16 registers.
template <class T>
KDHOST_AVX2 KDHOST_INLINE void add_block(const T* a, const T* b, std::int64_t pitch, std::int64_t length, double* out,
                                         std::int64_t stride) {
  using Vector __attribute__((vector_size(32))) = T;
  using Unaligned __attribute__((vector_size(32), aligned(alignof(T)), may_alias)) = T;
  constexpr std::size_t lanes = 32 / sizeof(T);
  Vector s00{}, s01{}, s02{}, s10{}, s11{}, s12{}, s20{}, s21{}, s22{}, s30{}, s31{}, s32{};
  for (std::int64_t k = 0; k < length; k += static_cast<std::int64_t>(lanes)) {
    const Vector y0 = *reinterpret_cast<const Unaligned*>(b + k);
    const Vector y1 = *reinterpret_cast<const Unaligned*>(b + pitch + k);
    const Vector y2 = *reinterpret_cast<const Unaligned*>(b + 2 * pitch + k);
    const Vector x0 = *reinterpret_cast<const Unaligned*>(a + k);
    s00 += x0 * y0, s01 += x0 * y1, s02 += x0 * y2;
    const Vector x1 = *reinterpret_cast<const Unaligned*>(a + pitch + k);
    s10 += x1 * y0, s11 += x1 * y1, s12 += x1 * y2;
    const Vector x2 = *reinterpret_cast<const Unaligned*>(a + 2 * pitch + k);
    s20 += x2 * y0, s21 += x2 * y1, s22 += x2 * y2;
    const Vector x3 = *reinterpret_cast<const Unaligned*>(a + 3 * pitch + k);
    s30 += x3 * y0, s31 += x3 * y1, s32 += x3 * y2;
  }
  const Vector sums[12] = {s00, s01, s02, s10, s11, s12, s20, s21, s22, s30, s31, s32};
  for (std::size_t at = 0; at < 12; ++at) {
    double total = 0;
    for (std::size_t lane = 0; lane < lanes; ++lane) total += static_cast<double>(sums[at][lane]);
    out[static_cast<std::int64_t>(at / 3) * stride + static_cast<std::int64_t>(at % 3)] += total;
  }
}

template <class T>
KDHOST_AVX2 void add_products_avx2(const Piece<T>& p) {
  constexpr auto lanes = static_cast<std::int64_t>(32 / sizeof(T));
  const std::int64_t stride = p.n + kMargin;
  for (std::int64_t from = p.begin; from < p.end; from += kChunk) {
    const std::int64_t length = std::min(kChunk, p.end - from), padded = (length + lanes - 1) / lanes * lanes;
    pack(p, from, length, padded);
    for (std::int64_t i = 0; i < p.n; i += 4)
      for (std::int64_t j = i; j < p.n; j += 3)
        add_block(p.packed + i * p.pitch, p.packed + j * p.pitch, p.pitch, padded, p.out + i * stride + j, stride);
  }
}
const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif

template <class T>
Products products(const T* rows, std::int64_t width, std::int64_t n) {
  // Pieces of the width, each with sums of its own; as many whatever the number of threads.
  const std::int64_t pieces = std::clamp<std::int64_t>(width / (2 * kChunk), 1, 4);
  const std::int64_t columns = (width + pieces - 1) / pieces, stride = n + kMargin;
  std::vector<double> sums(index_of(pieces * stride * stride), 0.0);
  const std::int64_t pitch = std::min(kChunk, (columns + 15) / 16 * 16) + 16;
  std::vector<T> packed(index_of(pieces * stride * pitch), T(0));
  parallel_for(pieces, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t at = first; at < last; ++at) {
      const Piece<T> piece{rows,
                           width,
                           n,
                           at * columns,
                           std::min(width, (at + 1) * columns),
                           pitch,
                           packed.data() + at * stride * pitch,
                           sums.data() + at * stride * stride};
#if defined(__x86_64__)
      if (has_avx2) {
        add_products_avx2(piece);
        continue;
      }
#endif
      add_products(piece);
    }
  });
  Products result(index_of(n * n), 0.0);
  for (std::int64_t at = 0; at < pieces; ++at)
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = i; j < n; ++j)
        result[index_of(i * n + j)] += sums[index_of((at * stride + i) * stride + j)];
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < i; ++j) result[index_of(i * n + j)] = result[index_of(j * n + i)];
  return result;
}

/// Rows of the products divided by their norm, and 1 / norm, 0 for a row of zeros.
struct Scaled {
  std::vector<double> rows, inverse;
};

Scaled scaled_rows(const Products& products, std::int64_t n, bool l1) {
  Scaled s{products, std::vector<double>(index_of(n))};
  for (std::int64_t i = 0; i < n; ++i) {
    double* row = s.rows.data() + i * n;
    double sum = 0;
    for (std::int64_t j = 0; j < n; ++j) sum += l1 ? std::abs(row[j]) : row[j] * row[j];
    const double norm = l1 ? sum : std::sqrt(sum);
    const double inverse = s.inverse[index_of(i)] = norm > 0 ? 1.0 / std::max(norm, 1e-12) : 0.0;
    for (std::int64_t j = 0; j < n; ++j) row[j] *= inverse;
  }
  return s;
}

/// S = (cosine + 1) / 2 with rows divided by their sum.
struct Probabilities {
  std::vector<double> norm;     ///< |e| + 1e-7
  std::vector<double> row_sum;  ///< of S
  std::vector<double> p;        ///< [N, N]
};

Probabilities probabilities_of(const Products& products, std::int64_t n) {
  Probabilities s{std::vector<double>(index_of(n)), std::vector<double>(index_of(n)), products};
  for (std::int64_t i = 0; i < n; ++i) s.norm[index_of(i)] = std::sqrt(products[index_of(i * n + i)]) + 1e-7;
  for (std::int64_t i = 0; i < n; ++i) {
    double* row = s.p.data() + i * n;
    double sum = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      row[j] = (row[j] / (s.norm[index_of(i)] * s.norm[index_of(j)]) + 1.0) / 2.0;
      sum += row[j];
    }
    s.row_sum[index_of(i)] = sum;
    for (std::int64_t j = 0; j < n; ++j) row[j] /= sum;
  }
  return s;
}

}  // namespace

Products sample_products(const float* rows, std::int64_t width, std::int64_t n) { return products(rows, width, n); }
Products sample_products(const double* rows, std::int64_t width, std::int64_t n) { return products(rows, width, n); }

RelationResult similarity_relation(const Products& student, const Products& teacher, std::int64_t n, bool l1,
                                   bool wants_gradient) {
  const Scaled s = scaled_rows(student, n, l1), t = scaled_rows(teacher, n, l1);
  const auto entries = static_cast<double>(n * n);
  RelationResult result;
  for (std::size_t at = 0; at < s.rows.size(); ++at) {
    const double d = s.rows[at] - t.rows[at];
    result.value += d * d;
  }
  result.value /= entries;
  if (!wants_gradient) return result;
  // With W = dL/dG of G = F F^T the gradient is (W + W^T) F.
  result.pull.assign(s.rows.size(), 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    const double* mine = s.rows.data() + i * n;
    const double* theirs = t.rows.data() + i * n;
    double along = 0;
    for (std::int64_t j = 0; j < n; ++j) along += (mine[j] - theirs[j]) * mine[j];
    const double scale = 2.0 / entries * s.inverse[index_of(i)];
    for (std::int64_t j = 0; j < n; ++j) {
      const double direction = l1 ? static_cast<double>((mine[j] > 0) - (mine[j] < 0)) : mine[j];
      const double w = (mine[j] - theirs[j] - direction * along) * scale;
      result.pull[index_of(i * n + j)] += w;
      result.pull[index_of(j * n + i)] += w;
    }
  }
  return result;
}

RelationResult probability_relation(const Products& student, const Products& teacher, std::int64_t n,
                                    bool wants_gradient) {
  const Probabilities s = probabilities_of(student, n), t = probabilities_of(teacher, n);
  const auto entries = static_cast<double>(n * n);
  RelationResult result;
  for (std::size_t at = 0; at < s.p.size(); ++at)
    result.value += t.p[at] * std::log((t.p[at] + 1e-7) / (s.p[at] + 1e-7));
  result.value /= entries;
  if (!wants_gradient) return result;
  result.pull.assign(s.p.size(), 0.0);
  std::vector<double> to_p(index_of(n)), to_norm(index_of(n), 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::size_t row = index_of(i * n);
    double mean = 0;
    for (std::size_t j = 0; j < to_p.size(); ++j) {
      to_p[j] = -t.p[row + j] / (s.p[row + j] + 1e-7) / entries;
      mean += to_p[j] * s.p[row + j];
    }
    for (std::size_t j = 0; j < to_p.size(); ++j) {
      const double to_cosine = (to_p[j] - mean) / s.row_sum[index_of(i)] / 2.0;
      const double norms = s.norm[index_of(i)] * s.norm[j], to_product = to_cosine / norms;
      result.pull[row + j] += to_product;
      result.pull[j * index_of(n) + index_of(i)] += to_product;
      const double through = to_product * student[row + j];
      to_norm[index_of(i)] -= through / s.norm[index_of(i)];
      to_norm[j] -= through / s.norm[j];
    }
  }
  for (std::int64_t i = 0; i < n; ++i)  // |e| has no gradient where it is 0
    if (const double length = s.norm[index_of(i)] - 1e-7; length > 0)
      result.pull[index_of(i * n + i)] += to_norm[index_of(i)] / length;
  return result;
}

}  // namespace kdhost::plugins
