// SPDX-License-Identifier: MIT
//
// The kernels of kdhost.dist over raw memory: correlations of probabilities along rows and along columns, and their
// gradient. Three passes, in this order: over rows, over columns, over rows again.
#pragma once
#include "../softmax_rows.hpp"

namespace kdhost::plugins {

template <class T>
struct DistRows {
  const T* student;
  const T* teacher;
  std::int64_t rows, classes;
  T inv_temperature;
  bool clamped;               ///< each norm at least 1e-8, instead of 1e-8 added to their product
  T row_scale, column_scale;  ///< of a row's and a column's correlation in the loss
  T* p_s;                     ///< [rows, classes], made by the first pass
  T* p_t;
  T* gradient;           ///< null when nobody wants it
  double* row_value;     ///< correlation of each row
  double* column_value;  ///< and of each column
};

/// Rows [begin, end): probabilities, correlation of each row.
void dist_rows(const DistRows<float>& k, std::int64_t begin, std::int64_t end);
void dist_rows(const DistRows<double>& k, std::int64_t begin, std::int64_t end);
/// Columns [begin, end): correlation of each.
void dist_columns(const DistRows<float>& k, std::int64_t begin, std::int64_t end);
void dist_columns(const DistRows<double>& k, std::int64_t begin, std::int64_t end);
/// Rows [begin, end): from the gradient of the probabilities to that of the logits.
void dist_gradient_rows(const DistRows<float>& k, std::int64_t begin, std::int64_t end);
void dist_gradient_rows(const DistRows<double>& k, std::int64_t begin, std::int64_t end);

}  // namespace kdhost::plugins
