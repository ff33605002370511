// SPDX-License-Identifier: MIT
//
// kdhost/ops/indexing.hpp: picking, scattering, masking and ordering elements. Part of <kdhost/ops.hpp>.
#pragma once
#include <kdhost/ops/reductions.hpp>
#include <kdhost/tensor.hpp>

namespace kdhost {
inline namespace v1 {

inline Tensor narrow(const Tensor& self, std::int64_t dim, std::int64_t start, std::int64_t length) {
  static const Op op("aten::narrow");
  return op({{"self", self}, {"dim", dim}, {"start", start}, {"length", length}});
}
inline Tensor select(const Tensor& self, std::int64_t dim, std::int64_t index) {
  static const Op op("aten::select", "int");
  return op({{"self", self}, {"dim", dim}, {"index", index}});
}
/// self[start:end:step] along dim; no end: to the last.
inline Tensor slice(const Tensor& self, std::int64_t dim, std::int64_t start, std::optional<std::int64_t> end = {},
                    std::int64_t step = 1) {
  static const Op op("aten::slice", "Tensor");
  return op({{"self", self}, {"dim", dim}, {"start", start}, {"end", end}, {"step", step}});
}
inline Tensor index_select(const Tensor& self, std::int64_t dim, const Tensor& index) {
  static const Op op("aten::index_select");
  return op({{"self", self}, {"dim", dim}, {"index", index}});
}
/// self[indices[0], indices[1], ...]; an empty Tensor stands for ":".
inline Tensor index(const Tensor& self, const Tensors& indices) {
  static const Op op("aten::index", "Tensor");
  return op({{"self", self}, {"indices", indices}});
}
inline Tensor index_put(const Tensor& self, const Tensors& indices, const Tensor& values, bool accumulate = false) {
  static const Op op("aten::index_put");
  return op({{"self", self}, {"indices", indices}, {"values", values}, {"accumulate", accumulate}});
}
inline Tensor index_add(const Tensor& self, std::int64_t dim, const Tensor& index, const Tensor& source) {
  static const Op op("aten::index_add");
  return op({{"self", self}, {"dim", dim}, {"index", index}, {"source", source}});
}
inline Tensor index_copy(const Tensor& self, std::int64_t dim, const Tensor& index, const Tensor& source) {
  static const Op op("aten::index_copy");
  return op({{"self", self}, {"dim", dim}, {"index", index}, {"source", source}});
}
inline Tensor index_fill(const Tensor& self, std::int64_t dim, const Tensor& index, Scalar value) {
  static const Op op("aten::index_fill", "int_Scalar");
  return op({{"self", self}, {"dim", dim}, {"index", index}, {"value", value}});
}
inline Tensor gather(const Tensor& self, std::int64_t dim, const Tensor& index) {
  static const Op op("aten::gather");
  return op({{"self", self}, {"dim", dim}, {"index", index}});
}
inline Tensor take_along_dim(const Tensor& self, const Tensor& indices, std::optional<std::int64_t> dim = {}) {
  static const Op op("aten::take_along_dim");
  return op({{"self", self}, {"indices", indices}, {"dim", dim}});
}
inline Tensor scatter(const Tensor& self, std::int64_t dim, const Tensor& index, const Tensor& src) {
  static const Op op("aten::scatter", "src");
  return op({{"self", self}, {"dim", dim}, {"index", index}, {"src", src}});
}
inline Tensor scatter(const Tensor& self, std::int64_t dim, const Tensor& index, Scalar value) {
  static const Op op("aten::scatter", "value");
  return op({{"self", self}, {"dim", dim}, {"index", index}, {"value", value}});
}
inline Tensor scatter_add(const Tensor& self, std::int64_t dim, const Tensor& index, const Tensor& src) {
  static const Op op("aten::scatter_add");
  return op({{"self", self}, {"dim", dim}, {"index", index}, {"src", src}});
}
/// reduce: "sum", "prod", "mean", "amax", "amin".
inline Tensor scatter_reduce(const Tensor& self, std::int64_t dim, const Tensor& index, const Tensor& src,
                             std::string_view reduce, bool include_self = true) {
  static const Op op("aten::scatter_reduce", "two");
  return op({{"self", self},
             {"dim", dim},
             {"index", index},
             {"src", src},
             {"reduce", reduce},
             {"include_self", include_self}});
}
inline Tensor masked_fill(const Tensor& self, const Tensor& mask, Scalar value) {
  static const Op op("aten::masked_fill", "Scalar");
  return op({{"self", self}, {"mask", mask}, {"value", value}});
}
inline Tensor masked_fill(const Tensor& self, const Tensor& mask, const Tensor& value) {
  static const Op op("aten::masked_fill", "Tensor");
  return op({{"self", self}, {"mask", mask}, {"value", value}});
}
/// The elements where mask holds, as one row. Its length is known only after the device has answered: not in a training
/// step.
inline Tensor masked_select(const Tensor& self, const Tensor& mask) {
  static const Op op("aten::masked_select");
  return op({{"self", self}, {"mask", mask}});
}
/// As masked_select: waits for the device.
inline Tensor nonzero(const Tensor& self) {
  static const Op op("aten::nonzero");
  return op({{"self", self}});
}
/// int64, with a new last dimension.
inline Tensor one_hot(const Tensor& self, std::int64_t num_classes) {
  static const Op op("aten::one_hot");
  return op({{"self", self}, {"num_classes", num_classes}});
}

inline ValuesIndices topk(const Tensor& self, std::int64_t k, std::int64_t dim = -1, bool largest = true,
                          bool sorted = true) {
  static const Op op("aten::topk");
  auto r = op.call<2>({{"self", self}, {"k", k}, {"dim", dim}, {"largest", largest}, {"sorted", sorted}});
  return {std::move(r[0]), std::move(r[1])};
}
/// Equal elements keep their order.
inline ValuesIndices sort(const Tensor& self, std::int64_t dim = -1, bool descending = false) {
  static const Op op("aten::sort", "stable");
  auto r = op.call<2>({{"self", self}, {"dim", dim}, {"descending", descending}, {"stable", true}});
  return {std::move(r[0]), std::move(r[1])};
}
inline Tensor argsort(const Tensor& self, std::int64_t dim = -1, bool descending = false) {
  static const Op op("aten::argsort", "stable");
  return op({{"self", self}, {"dim", dim}, {"descending", descending}, {"stable", true}});
}
/// How many boundaries (ascending) lie below each element; right: below or at it.
inline Tensor bucketize(const Tensor& self, const Tensor& boundaries, bool right = false) {
  static const Op op("aten::bucketize", "Tensor");
  return op({{"self", self}, {"boundaries", boundaries}, {"right", right}});
}
inline Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& self, bool right = false) {
  static const Op op("aten::searchsorted", "Tensor");
  return op({{"sorted_sequence", sorted_sequence}, {"self", self}, {"right", right}});
}

}  // namespace v1
}  // namespace kdhost
