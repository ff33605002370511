// SPDX-License-Identifier: MIT
//
// Distances and angles of kdhost.rkd on the CPU, value and gradient in one go, from the N x N products of the
// embeddings alone: v_ij . v_ik = (e_j.e_k - e_i.e_j - e_i.e_k + e_i.e_i) / (|e_j - e_i| |e_k - e_i|). So the N^3
// angles cost a few operations each whatever the width, and nothing larger than N x N is kept. The gradient of both
// parts is a matrix [N, N] times the embeddings.
#pragma once
#include "sample_relations.hpp"

namespace kdhost::plugins {

struct RkdWeights {
  double distance, angle;
};

struct RkdResult : RelationResult {
  double distance = 0, angle = 0;  ///< the two parts without their weights; 0 where not computed
};

/// Rows without gaps, n >= 2. In float64 whatever T is: differences of products cancel.
RkdResult rkd_relations(const float* student, std::int64_t student_width, const float* teacher,
                        std::int64_t teacher_width, std::int64_t n, RkdWeights weights, bool wants_gradient);
RkdResult rkd_relations(const double* student, std::int64_t student_width, const double* teacher,
                        std::int64_t teacher_width, std::int64_t n, RkdWeights weights, bool wants_gradient);

}  // namespace kdhost::plugins
