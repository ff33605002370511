// SPDX-License-Identifier: MIT
//
// Row kernels of the losses on the teacher's most probable classes, over raw memory. Both begin with top_rows.
#pragma once
#include "../loss_inputs.hpp"
#include "../softmax_rows.hpp"

namespace kdhost::plugins {

/// The `top` classes of each row with the largest logits, largest first, of equals the one that comes first.
template <class T>
struct TopRows {
  const T* teacher;
  std::int64_t classes, top;
  T scale;              ///< of the logits, 1 / T
  std::int64_t* index;  ///< receives [rows, top]
  T* probability;       ///< receives softmax(scale * teacher) of these classes
  T* log_rest;          ///< receives the log-probability of all other classes, one a row; null: not wanted
};
void top_rows(const TopRows<float>& k, std::int64_t begin, std::int64_t end);
void top_rows(const TopRows<double>& k, std::int64_t begin, std::int64_t end);

/// KL divergence on the top classes: of kdhost.sparse_kl.
template <class T>
struct SparseRows {
  const T* student;
  const std::int64_t* index;
  const T* probability;
  const T* log_rest;  ///< null: the top classes' probabilities are scaled to sum 1
  std::int64_t classes, top;
  T scale;
  T gradient_scale;
  T* gradient = nullptr;
  double* value = nullptr;
};
void sparse_rows(const SparseRows<float>& k, std::int64_t begin, std::int64_t end);
void sparse_rows(const SparseRows<double>& k, std::int64_t begin, std::int64_t end);

/// Ordered pairs of the top classes: of kdhost.hinge_ranking and kdhost.logistic_ranking.
template <class T>
struct RankRows {
  const T* student;
  const std::int64_t* index;
  const T* probability;
  std::int64_t classes, top;
  T eps;
  bool hinge;       ///< on probabilities; else logistic, on logits
  bool own_margin;  ///< a margin was given; else the teacher's own difference
  T margin;
  T gradient_scale;
  T* gradient = nullptr;
  double* value = nullptr;
};
/// How many pairs a row has.
double count_pairs(const RankRows<float>& k, std::int64_t row);
double count_pairs(const RankRows<double>& k, std::int64_t row);
void rank_rows(const RankRows<float>& k, std::int64_t begin, std::int64_t end);
void rank_rows(const RankRows<double>& k, std::int64_t begin, std::int64_t end);

/// What top_rows found.
template <class T>
struct TopClasses {
  std::vector<std::int64_t> index;
  std::vector<T> probability, log_rest;

  TopClasses(const Tensor& teacher, std::int64_t top, double scale, bool with_rest) {
    const std::int64_t rows = teacher.size(0), classes = teacher.size(1);
    index.resize(static_cast<std::size_t>(rows * top));
    probability.resize(index.size());
    if (with_rest) log_rest.resize(static_cast<std::size_t>(rows));
    const TopRows<T> work{teacher.data<T>(),
                          classes,
                          top,
                          static_cast<T>(scale),
                          index.data(),
                          probability.data(),
                          with_rest ? log_rest.data() : nullptr};
    parallel_for(rows, row_grain(classes), [&](std::int64_t begin, std::int64_t end) { top_rows(work, begin, end); });
  }
};

}  // namespace kdhost::plugins
