// SPDX-License-Identifier: MIT
#include "squared_difference.hpp"

#include <algorithm>

namespace kdhost::plugins {
namespace {

template <class T>
void add(const T* a, const T* b, std::int64_t n, std::int64_t begin, std::int64_t end, double* sums) {
  constexpr std::int64_t kRow = 512;  // added up in T, rows in double
  for (std::int64_t block = begin; block < end; ++block) {
    const std::int64_t last = std::min(n, (block + 1) * kSquaresBlock);
    double total = 0;
    for (std::int64_t i = block * kSquaresBlock; i < last; i += kRow) {
      const std::int64_t stop = std::min(last, i + kRow);
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t k = i; k < stop; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
      total += static_cast<double>(sum);
    }
    sums[block] = total;
  }
}

template <class T>
void scale(const T* a, const T* b, T factor, T* out, std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) out[i] = (a[i] - b[i]) * factor;
}

}  // namespace

void squared_differences(const float* a, const float* b, std::int64_t n, std::int64_t begin, std::int64_t end,
                         double* sums) noexcept {
  add(a, b, n, begin, end, sums);
}
void squared_differences(const double* a, const double* b, std::int64_t n, std::int64_t begin, std::int64_t end,
                         double* sums) noexcept {
  add(a, b, n, begin, end, sums);
}

void scaled_differences(const float* a, const float* b, float factor, float* out, std::int64_t begin,
                        std::int64_t end) noexcept {
  scale(a, b, factor, out, begin, end);
}
void scaled_differences(const double* a, const double* b, double factor, double* out, std::int64_t begin,
                        std::int64_t end) noexcept {
  scale(a, b, factor, out, begin, end);
}

}  // namespace kdhost::plugins
