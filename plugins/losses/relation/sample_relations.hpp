// SPDX-License-Identifier: MIT
//
// Losses between the samples of a batch on the CPU, value and gradient in one go, from the products e_i . e_j of the
// embeddings alone. What comes behind the products is N x N, whatever the width, and the gradient of each loss is a
// matrix [N, N], the pull, times the student's embeddings. In float64 whatever the embeddings are.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "../loss_inputs.hpp"
#include "../softmax_rows.hpp"

namespace kdhost::plugins {

using Products = std::vector<double>;  ///< [N, N], symmetric

/// Rows without gaps. Equal rows have bitwise equal products; results do not depend on the number of threads.
Products sample_products(const float* rows, std::int64_t width, std::int64_t n);
Products sample_products(const double* rows, std::int64_t width, std::int64_t n);

struct RelationResult {
  double value = 0;
  std::vector<double> pull;  ///< [N, N]: gradient = pull * student's embeddings; empty when nobody wants it
};

/// kdhost.sp: rows scaled to unit L2 (L1), sum of squared differences / N^2.
RelationResult similarity_relation(const Products& student, const Products& teacher, std::int64_t n, bool l1,
                                   bool wants_gradient);
/// kdhost.pkt: cosines as probabilities, mean of p_t log(p_t / p_s).
RelationResult probability_relation(const Products& student, const Products& teacher, std::int64_t n,
                                    bool wants_gradient);

inline Products products_of(const Tensor& rows) {
  return rows.dtype() == Dtype::f32 ? sample_products(rows.data<float>(), rows.size(1), rows.size(0))
                                    : sample_products(rows.data<double>(), rows.size(1), rows.size(0));
}

template <class T>
Tensor tensor_of(const std::vector<double>& numbers, const Shape& shape) {
  return Tensor::of<T>(std::vector<T>(numbers.begin(), numbers.end()), shape);
}

/// The result as a tensor that knows its gradient with respect to the embeddings [N, D]. `centred`: the rows of the
/// pull sum to 0, so the mean of the embeddings can be left out, where it would only cancel.
inline Tensor relation_value(std::string_view name, const Tensor& embeddings, const RelationResult& result,
                             bool centred = false) {
  const bool single = embeddings.dtype() == Dtype::f32;
  Tensor value = single ? tensor_of<float>({result.value}, {}) : tensor_of<double>({result.value}, {});
  if (result.pull.empty()) return value;
  Tensor gradient;
  {
    const NoGrad off;
    const std::int64_t n = embeddings.size(0);
    const Tensor e = embeddings.detach();
    gradient = matmul(single ? tensor_of<float>(result.pull, {n, n}) : tensor_of<double>(result.pull, {n, n}),
                      centred ? e - e.mean({0}, true) : e);
  }
  return custom_grad(name, KnownGradient{std::move(value), std::move(gradient)}, {embeddings});
}

}  // namespace kdhost::plugins
