// SPDX-License-Identifier: MIT
//
// kdhost/ops/linear_algebra.hpp: products of matrices, decompositions, triangles and diagonals. Part of
// <kdhost/ops.hpp>.
#pragma once
#include <kdhost/tensor.hpp>

namespace kdhost {
inline namespace v1 {

/// A = U diag(S) Vh.
struct Svd {
  Tensor u, s, vh;
};
/// A = Q R.
struct Qr {
  Tensor q, r;
};
/// A = V diag(values) V^T, values ascending.
struct Eigh {
  Tensor values, vectors;
};
struct SignLogDet {
  Tensor sign, logabsdet;
};

inline Tensor matmul(const Tensor& self, const Tensor& other) {
  static const Op op("aten::matmul");
  return op({{"self", self}, {"other", other}});
}
inline Tensor mm(const Tensor& self, const Tensor& mat2) {
  static const Op op("aten::mm");
  return op({{"self", self}, {"mat2", mat2}});
}
inline Tensor bmm(const Tensor& self, const Tensor& mat2) {
  static const Op op("aten::bmm");
  return op({{"self", self}, {"mat2", mat2}});
}
inline Tensor mv(const Tensor& self, const Tensor& vec) {
  static const Op op("aten::mv");
  return op({{"self", self}, {"vec", vec}});
}
inline Tensor dot(const Tensor& self, const Tensor& tensor) {
  static const Op op("aten::dot");
  return op({{"self", self}, {"tensor", tensor}});
}
inline Tensor outer(const Tensor& self, const Tensor& vec2) {
  static const Op op("aten::outer");
  return op({{"self", self}, {"vec2", vec2}});
}
inline Tensor kron(const Tensor& self, const Tensor& other) {
  static const Op op("aten::kron");
  return op({{"self", self}, {"other", other}});
}
/// beta * self + alpha * mat1 mat2.
inline Tensor addmm(const Tensor& self, const Tensor& mat1, const Tensor& mat2, Scalar beta = 1, Scalar alpha = 1) {
  static const Op op("aten::addmm");
  return op({{"self", self}, {"mat1", mat1}, {"mat2", mat2}, {"beta", beta}, {"alpha", alpha}});
}
inline Tensor baddbmm(const Tensor& self, const Tensor& batch1, const Tensor& batch2, Scalar beta = 1,
                      Scalar alpha = 1) {
  static const Op op("aten::baddbmm");
  return op({{"self", self}, {"batch1", batch1}, {"batch2", batch2}, {"beta", beta}, {"alpha", alpha}});
}
inline Tensor einsum(std::string_view equation, const Tensors& tensors) {
  static const Op op("aten::einsum");
  return op({{"equation", equation}, {"tensors", tensors}});
}

inline Svd linalg_svd(const Tensor& A, bool full_matrices = true) {
  static const Op op("aten::linalg_svd");
  auto r = op.call<3>({{"A", A}, {"full_matrices", full_matrices}});
  return {std::move(r[0]), std::move(r[1]), std::move(r[2])};
}
inline Tensor linalg_svdvals(const Tensor& A) {
  static const Op op("aten::linalg_svdvals");
  return op({{"A", A}});
}
inline Qr linalg_qr(const Tensor& A) {
  static const Op op("aten::linalg_qr");
  auto r = op.call<2>({{"A", A}});
  return {std::move(r[0]), std::move(r[1])};
}
/// Of a symmetric matrix.
inline Eigh linalg_eigh(const Tensor& self) {
  static const Op op("aten::linalg_eigh");
  auto r = op.call<2>({{"self", self}});
  return {std::move(r[0]), std::move(r[1])};
}
inline Tensor linalg_eigvalsh(const Tensor& self) {
  static const Op op("aten::linalg_eigvalsh");
  return op({{"self", self}});
}
inline Tensor linalg_cholesky(const Tensor& self, bool upper = false) {
  static const Op op("aten::linalg_cholesky");
  return op({{"self", self}, {"upper", upper}});
}
/// X of A X = B.
inline Tensor linalg_solve(const Tensor& A, const Tensor& B) {
  static const Op op("aten::linalg_solve");
  return op({{"A", A}, {"B", B}});
}
inline Tensor linalg_solve_triangular(const Tensor& self, const Tensor& B, bool upper) {
  static const Op op("aten::linalg_solve_triangular");
  return op({{"self", self}, {"B", B}, {"upper", upper}});
}
inline Tensor linalg_inv(const Tensor& A) {
  static const Op op("aten::linalg_inv");
  return op({{"A", A}});
}
/// Singular values below rcond times the largest count as zero.
inline Tensor linalg_pinv(const Tensor& self, double rcond = 1e-15) {
  static const Op op("aten::linalg_pinv");
  return op({{"self", self}, {"rcond", rcond}});
}
inline Tensor linalg_det(const Tensor& A) {
  static const Op op("aten::linalg_det");
  return op({{"A", A}});
}
inline SignLogDet linalg_slogdet(const Tensor& A) {
  static const Op op("aten::linalg_slogdet");
  auto r = op.call<2>({{"A", A}});
  return {std::move(r[0]), std::move(r[1])};
}
inline Tensor linalg_matrix_power(const Tensor& self, std::int64_t n) {
  static const Op op("aten::linalg_matrix_power");
  return op({{"self", self}, {"n", n}});
}
/// ord: "fro" or "nuc".
inline Tensor linalg_matrix_norm(const Tensor& self, std::string_view ord = "fro") {
  static const Op op("aten::linalg_matrix_norm", "str_ord");
  return op({{"self", self}, {"ord", ord}});
}

inline Tensor triu(const Tensor& self, std::int64_t diagonal = 0) {
  static const Op op("aten::triu");
  return op({{"self", self}, {"diagonal", diagonal}});
}
inline Tensor tril(const Tensor& self, std::int64_t diagonal = 0) {
  static const Op op("aten::tril");
  return op({{"self", self}, {"diagonal", diagonal}});
}
inline Tensor diagonal(const Tensor& self, std::int64_t offset = 0, std::int64_t dim1 = 0, std::int64_t dim2 = 1) {
  static const Op op("aten::diagonal");
  return op({{"self", self}, {"offset", offset}, {"dim1", dim1}, {"dim2", dim2}});
}
inline Tensor diag_embed(const Tensor& self, std::int64_t offset = 0, std::int64_t dim1 = -2, std::int64_t dim2 = -1) {
  static const Op op("aten::diag_embed");
  return op({{"self", self}, {"offset", offset}, {"dim1", dim1}, {"dim2", dim2}});
}
inline Tensor diag(const Tensor& self, std::int64_t diagonal = 0) {
  static const Op op("aten::diag");
  return op({{"self", self}, {"diagonal", diagonal}});
}
inline Tensor trace(const Tensor& self) {
  static const Op op("aten::trace");
  return op({{"self", self}});
}

/// Distances between the rows of x1 and those of x2. compute_mode 2 never goes through a matrix product, which loses
/// digits.
inline Tensor cdist(const Tensor& x1, const Tensor& x2, double p = 2, std::optional<std::int64_t> compute_mode = {}) {
  static const Op op("aten::cdist");
  return op({{"x1", x1}, {"x2", x2}, {"p", p}, {"compute_mode", compute_mode}});
}

}  // namespace v1
}  // namespace kdhost
