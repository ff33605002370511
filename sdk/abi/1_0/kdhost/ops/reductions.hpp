// SPDX-License-Identifier: MIT
//
// kdhost/ops/reductions.hpp: sums, means, extremes, norms, running sums, and the softmax family. Dimensions are written
// 1, -1 or {2, 3}. Part of <kdhost/ops.hpp>.
#pragma once
#include <kdhost/tensor.hpp>

namespace kdhost {
inline namespace v1 {

/// A result along one dimension and where it was found.
struct ValuesIndices {
  Tensor values, indices;
};
struct StdMean {
  Tensor std, mean;
};
struct VarMean {
  Tensor var, mean;
};

inline Tensor sum(const Tensor& self) {
  static const Op op("aten::sum");
  return op({{"self", self}});
}
inline Tensor sum(const Tensor& self, const Dims& dim, bool keepdim = false, std::optional<Dtype> dtype = {}) {
  static const Op op("aten::sum", "dim_IntList");
  return op({{"self", self}, {"dim", dim.list}, {"keepdim", keepdim}, {"dtype", dtype}});
}
inline Tensor mean(const Tensor& self) {
  static const Op op("aten::mean");
  return op({{"self", self}});
}
inline Tensor mean(const Tensor& self, const Dims& dim, bool keepdim = false, std::optional<Dtype> dtype = {}) {
  static const Op op("aten::mean", "dim");
  return op({{"self", self}, {"dim", dim.list}, {"keepdim", keepdim}, {"dtype", dtype}});
}
inline Tensor prod(const Tensor& self) {
  static const Op op("aten::prod");
  return op({{"self", self}});
}
inline Tensor prod(const Tensor& self, std::int64_t dim, bool keepdim = false) {
  static const Op op("aten::prod", "dim_int");
  return op({{"self", self}, {"dim", dim}, {"keepdim", keepdim}});
}
/// Divided by the number of elements less `correction`.
inline Tensor std(const Tensor& self, std::int64_t correction = 1) {
  static const Op op("aten::std", "correction");
  return op({{"self", self}, {"correction", correction}});
}
inline Tensor std(const Tensor& self, const Dims& dim, std::int64_t correction = 1, bool keepdim = false) {
  static const Op op("aten::std", "correction");
  return op({{"self", self}, {"dim", dim.list}, {"correction", correction}, {"keepdim", keepdim}});
}
inline Tensor var(const Tensor& self, std::int64_t correction = 1) {
  static const Op op("aten::var", "correction");
  return op({{"self", self}, {"correction", correction}});
}
inline Tensor var(const Tensor& self, const Dims& dim, std::int64_t correction = 1, bool keepdim = false) {
  static const Op op("aten::var", "correction");
  return op({{"self", self}, {"dim", dim.list}, {"correction", correction}, {"keepdim", keepdim}});
}
inline StdMean std_mean(const Tensor& self, const Dims& dim, std::int64_t correction = 1, bool keepdim = false) {
  static const Op op("aten::std_mean", "correction");
  auto r = op.call<2>({{"self", self}, {"dim", dim.list}, {"correction", correction}, {"keepdim", keepdim}});
  return {std::move(r[0]), std::move(r[1])};
}
inline VarMean var_mean(const Tensor& self, const Dims& dim, std::int64_t correction = 1, bool keepdim = false) {
  static const Op op("aten::var_mean", "correction");
  auto r = op.call<2>({{"self", self}, {"dim", dim.list}, {"correction", correction}, {"keepdim", keepdim}});
  return {std::move(r[0]), std::move(r[1])};
}
inline Tensor amax(const Tensor& self, const Dims& dim, bool keepdim = false) {
  static const Op op("aten::amax");
  return op({{"self", self}, {"dim", dim.list}, {"keepdim", keepdim}});
}
inline Tensor amin(const Tensor& self, const Dims& dim, bool keepdim = false) {
  static const Op op("aten::amin");
  return op({{"self", self}, {"dim", dim.list}, {"keepdim", keepdim}});
}
inline Tensor max(const Tensor& self) {
  static const Op op("aten::max");
  return op({{"self", self}});
}
inline ValuesIndices max(const Tensor& self, std::int64_t dim, bool keepdim = false) {
  static const Op op("aten::max", "dim");
  auto r = op.call<2>({{"self", self}, {"dim", dim}, {"keepdim", keepdim}});
  return {std::move(r[0]), std::move(r[1])};
}
inline Tensor min(const Tensor& self) {
  static const Op op("aten::min");
  return op({{"self", self}});
}
inline ValuesIndices min(const Tensor& self, std::int64_t dim, bool keepdim = false) {
  static const Op op("aten::min", "dim");
  auto r = op.call<2>({{"self", self}, {"dim", dim}, {"keepdim", keepdim}});
  return {std::move(r[0]), std::move(r[1])};
}
inline Tensor argmax(const Tensor& self) {
  static const Op op("aten::argmax");
  return op({{"self", self}});
}
inline Tensor argmax(const Tensor& self, std::int64_t dim, bool keepdim = false) {
  static const Op op("aten::argmax");
  return op({{"self", self}, {"dim", dim}, {"keepdim", keepdim}});
}
inline Tensor argmin(const Tensor& self) {
  static const Op op("aten::argmin");
  return op({{"self", self}});
}
inline Tensor argmin(const Tensor& self, std::int64_t dim, bool keepdim = false) {
  static const Op op("aten::argmin");
  return op({{"self", self}, {"dim", dim}, {"keepdim", keepdim}});
}
inline Tensor median(const Tensor& self) {
  static const Op op("aten::median");
  return op({{"self", self}});
}
inline ValuesIndices median(const Tensor& self, std::int64_t dim, bool keepdim = false) {
  static const Op op("aten::median", "dim");
  auto r = op.call<2>({{"self", self}, {"dim", dim}, {"keepdim", keepdim}});
  return {std::move(r[0]), std::move(r[1])};
}
/// The k-th smallest, k from 1.
inline ValuesIndices kthvalue(const Tensor& self, std::int64_t k, std::int64_t dim = -1, bool keepdim = false) {
  static const Op op("aten::kthvalue");
  auto r = op.call<2>({{"self", self}, {"k", k}, {"dim", dim}, {"keepdim", keepdim}});
  return {std::move(r[0]), std::move(r[1])};
}
inline Tensor logsumexp(const Tensor& self, const Dims& dim, bool keepdim = false) {
  static const Op op("aten::logsumexp");
  return op({{"self", self}, {"dim", dim.list}, {"keepdim", keepdim}});
}
inline Tensor any(const Tensor& self) {
  static const Op op("aten::any");
  return op({{"self", self}});
}
inline Tensor any(const Tensor& self, std::int64_t dim, bool keepdim = false) {
  static const Op op("aten::any", "dim");
  return op({{"self", self}, {"dim", dim}, {"keepdim", keepdim}});
}
inline Tensor all(const Tensor& self) {
  static const Op op("aten::all");
  return op({{"self", self}});
}
inline Tensor all(const Tensor& self, std::int64_t dim, bool keepdim = false) {
  static const Op op("aten::all", "dim");
  return op({{"self", self}, {"dim", dim}, {"keepdim", keepdim}});
}
inline Tensor count_nonzero(const Tensor& self) {
  static const Op op("aten::count_nonzero");
  return op({{"self", self}});
}
inline Tensor count_nonzero(const Tensor& self, const Dims& dim) {
  static const Op op("aten::count_nonzero", "dim_IntList");
  return op({{"self", self}, {"dim", dim.list}});
}
/// How often each of 0, 1, 2, ... occurs.
inline Tensor bincount(const Tensor& self, const Tensor& weights = {}, std::int64_t minlength = 0) {
  static const Op op("aten::bincount");
  return op({{"self", self}, {"weights", weights}, {"minlength", minlength}});
}

// ---- norms
/// Of all elements as one vector.
inline Tensor norm(const Tensor& self, Scalar p = 2) {
  static const Op op("aten::norm", "Scalar");
  return op({{"self", self}, {"p", p}});
}
inline Tensor norm(const Tensor& self, Scalar p, const Dims& dim, bool keepdim = false) {
  static const Op op("aten::norm", "ScalarOpt_dim");
  return op({{"self", self}, {"p", p}, {"dim", dim.list}, {"keepdim", keepdim}});
}
inline Tensor vector_norm(const Tensor& self, Scalar ord = 2) {
  static const Op op("aten::linalg_vector_norm");
  return op({{"self", self}, {"ord", ord}});
}
inline Tensor vector_norm(const Tensor& self, Scalar ord, const Dims& dim, bool keepdim = false) {
  static const Op op("aten::linalg_vector_norm");
  return op({{"self", self}, {"ord", ord}, {"dim", dim.list}, {"keepdim", keepdim}});
}

// ---- running results along a dimension
inline Tensor cumsum(const Tensor& self, std::int64_t dim, std::optional<Dtype> dtype = {}) {
  static const Op op("aten::cumsum");
  return op({{"self", self}, {"dim", dim}, {"dtype", dtype}});
}
inline Tensor cumprod(const Tensor& self, std::int64_t dim, std::optional<Dtype> dtype = {}) {
  static const Op op("aten::cumprod");
  return op({{"self", self}, {"dim", dim}, {"dtype", dtype}});
}
inline Tensor logcumsumexp(const Tensor& self, std::int64_t dim) {
  static const Op op("aten::logcumsumexp");
  return op({{"self", self}, {"dim", dim}});
}

// ---- softmax family; dtype: computed and returned in it
inline Tensor softmax(const Tensor& self, std::int64_t dim, std::optional<Dtype> dtype = {}) {
  static const Op op("aten::softmax", "int");
  return op({{"self", self}, {"dim", dim}, {"dtype", dtype}});
}
inline Tensor log_softmax(const Tensor& self, std::int64_t dim, std::optional<Dtype> dtype = {}) {
  static const Op op("aten::log_softmax", "int");
  return op({{"self", self}, {"dim", dim}, {"dtype", dtype}});
}

}  // namespace v1
}  // namespace kdhost
