// SPDX-License-Identifier: MIT
//
// Cross-entropy of attention distributions, one query after the other over raw memory, with the gradient with respect
// to the student's scores. Used by kdhost.att_ce on the CPU.
#pragma once
#include "../softmax_rows.hpp"

namespace kdhost::plugins {

template <class T>
struct AttentionCeRows {
  const T* student;  ///< [queries, keys] scores
  const T* teacher;
  const T* mask;        ///< [samples, keys], weight of each position as key and as query; null: none
  std::int64_t keys;    ///< as many queries a head
  std::int64_t sample;  ///< queries of one sample: heads * keys
  T padded;             ///< without a mask keys whose teacher score is at most this get no weight
  T gradient_scale;
  T* gradient = nullptr;    ///< null when nobody wants it
  double* value = nullptr;  ///< of each query, times its weight
};

/// Queries [begin, end). Values do not depend on how the queries are cut into pieces.
void attention_ce_rows(const AttentionCeRows<float>& k, std::int64_t begin, std::int64_t end) noexcept;
void attention_ce_rows(const AttentionCeRows<double>& k, std::int64_t begin, std::int64_t end) noexcept;

}  // namespace kdhost::plugins
