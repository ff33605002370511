// SPDX-License-Identifier: MIT
//
// The row kernels of standardize.hpp. Additions and multiplications only, so what every x86-64 processor has is fast
// enough.
#include "standardize_rows.hpp"

#include "../row_math.hpp"

namespace kdhost::plugins {
namespace {

template <class T>
void forward(const StandardizeRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* x = k.in + row * n;
    T* y = k.out + row * n;
    T sum = 0, high = x[0], low = x[0];
#pragma omp simd reduction(+ : sum) reduction(max : high) reduction(min : low)
    for (std::int64_t i = 0; i < n; ++i) {
      sum += x[i];
      high = x[i] > high ? x[i] : high;
      low = x[i] < low ? x[i] : low;
    }
    const T mean = sum / static_cast<T>(n);
    T squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const T deviation = std::sqrt(squares / static_cast<T>(n - 1));
    // A row of equal numbers has no scale; one that holds a NaN keeps it.
    const bool constant = high == low && sum == sum;
    const T by = constant ? T(0) : 1 / (k.epsilon + deviation);
    k.scale[2 * row] = by;
    k.scale[2 * row + 1] = constant ? T(0) : 1 / (static_cast<T>(n - 1) * deviation);
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * by;
  }
}

// dL/dx_j = (g_j - mean g) / (epsilon + std) - y_j (g.y) / ((n - 1) std)
template <class T>
void backward(const StandardizeBackRows<T>& k, std::int64_t begin, std::int64_t end) {
  const std::int64_t n = k.classes;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* y = k.out + row * n;
    const T* g = k.gradient + row * n;
    T* r = k.result + row * n;
    T sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
    for (std::int64_t i = 0; i < n; ++i) {
      sum += g[i];
      product += g[i] * y[i];
    }
    const T mean = sum / static_cast<T>(n), by = k.scale[2 * row], along = product * k.scale[2 * row + 1];
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) r[i] = (g[i] - mean) * by - y[i] * along;
  }
}

}  // namespace

void standardize_rows(const StandardizeRows<float>& k, std::int64_t begin, std::int64_t end) { forward(k, begin, end); }
void standardize_rows(const StandardizeRows<double>& k, std::int64_t begin, std::int64_t end) {
  forward(k, begin, end);
}
void standardize_back_rows(const StandardizeBackRows<float>& k, std::int64_t begin, std::int64_t end) {
  backward(k, begin, end);
}
void standardize_back_rows(const StandardizeBackRows<double>& k, std::int64_t begin, std::int64_t end) {
  backward(k, begin, end);
}

}  // namespace kdhost::plugins
