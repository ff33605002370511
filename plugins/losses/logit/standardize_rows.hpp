// SPDX-License-Identifier: MIT
//
// The row kernels of standardize.hpp, over raw memory.
#pragma once
#include "../softmax_rows.hpp"

namespace kdhost::plugins {

template <class T>
struct StandardizeRows {
  const T* in;  ///< rows of `classes` contiguous numbers
  T* out;       ///< (in - mean) / (epsilon + std); 0 in a constant row
  T* scale;     ///< two a row: 1 / (epsilon + std) and 1 / ((classes - 1) std); both 0 in a constant row
  std::int64_t classes;
  T epsilon;
};

/// The gradient with respect to `in` from the one with respect to `out`.
template <class T>
struct StandardizeBackRows {
  const T* out;
  const T* scale;
  const T* gradient;
  T* result;
  std::int64_t classes;
};

/// Rows [begin, end).
void standardize_rows(const StandardizeRows<float>& k, std::int64_t begin, std::int64_t end);
void standardize_rows(const StandardizeRows<double>& k, std::int64_t begin, std::int64_t end);
void standardize_back_rows(const StandardizeBackRows<float>& k, std::int64_t begin, std::int64_t end);
void standardize_back_rows(const StandardizeBackRows<double>& k, std::int64_t begin, std::int64_t end);

}  // namespace kdhost::plugins
