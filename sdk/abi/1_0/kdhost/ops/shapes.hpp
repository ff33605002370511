// SPDX-License-Identifier: MIT
//
// kdhost/ops/shapes.hpp: the same numbers in another shape, order, memory layout or dtype. Part of <kdhost/ops.hpp>.
#pragma once
#include <kdhost/tensor.hpp>

namespace kdhost {
inline namespace v1 {

inline Tensor reshape(const Tensor& self, const Shape& shape) {
  static const Op op("aten::reshape");
  return op({{"self", self}, {"shape", shape}});
}
inline Tensor view(const Tensor& self, const Shape& size) {
  static const Op op("aten::view");
  return op({{"self", self}, {"size", size}});
}
inline Tensor flatten(const Tensor& self, std::int64_t start_dim = 0, std::int64_t end_dim = -1) {
  static const Op op("aten::flatten", "using_ints");
  return op({{"self", self}, {"start_dim", start_dim}, {"end_dim", end_dim}});
}
inline Tensor unflatten(const Tensor& self, std::int64_t dim, const Shape& sizes) {
  static const Op op("aten::unflatten", "int");
  return op({{"self", self}, {"dim", dim}, {"sizes", sizes}});
}
inline Tensor permute(const Tensor& self, const Shape& dims) {
  static const Op op("aten::permute");
  return op({{"self", self}, {"dims", dims}});
}
inline Tensor transpose(const Tensor& self, std::int64_t dim0, std::int64_t dim1) {
  static const Op op("aten::transpose", "int");
  return op({{"self", self}, {"dim0", dim0}, {"dim1", dim1}});
}
inline Tensor t(const Tensor& self) {
  static const Op op("aten::t");
  return op({{"self", self}});
}
inline Tensor movedim(const Tensor& self, std::int64_t source, std::int64_t destination) {
  static const Op op("aten::movedim", "int");
  return op({{"self", self}, {"source", source}, {"destination", destination}});
}
inline Tensor unsqueeze(const Tensor& self, std::int64_t dim) {
  static const Op op("aten::unsqueeze");
  return op({{"self", self}, {"dim", dim}});
}
inline Tensor squeeze(const Tensor& self) {
  static const Op op("aten::squeeze");
  return op({{"self", self}});
}
inline Tensor squeeze(const Tensor& self, std::int64_t dim) {
  static const Op op("aten::squeeze", "dim");
  return op({{"self", self}, {"dim", dim}});
}
inline Tensor expand(const Tensor& self, const Shape& size) {
  static const Op op("aten::expand");
  return op({{"self", self}, {"size", size}});
}
inline Tensor expand_as(const Tensor& self, const Tensor& other) {
  static const Op op("aten::expand_as");
  return op({{"self", self}, {"other", other}});
}
inline Tensor broadcast_to(const Tensor& self, const Shape& size) {
  static const Op op("aten::broadcast_to");
  return op({{"self", self}, {"size", size}});
}
inline Tensor repeat(const Tensor& self, const Shape& repeats) {
  static const Op op("aten::repeat");
  return op({{"self", self}, {"repeats", repeats}});
}
inline Tensor repeat_interleave(const Tensor& self, std::int64_t repeats, std::optional<std::int64_t> dim = {}) {
  static const Op op("aten::repeat_interleave", "self_int");
  return op({{"self", self}, {"repeats", repeats}, {"dim", dim}});
}
inline Tensor repeat_interleave(const Tensor& self, const Tensor& repeats, std::optional<std::int64_t> dim = {}) {
  static const Op op("aten::repeat_interleave", "self_Tensor");
  return op({{"self", self}, {"repeats", repeats}, {"dim", dim}});
}
inline Tensor flip(const Tensor& self, const Dims& dims) {
  static const Op op("aten::flip");
  return op({{"self", self}, {"dims", dims.list}});
}
inline Tensor roll(const Tensor& self, const Dims& shifts, const Dims& dims) {
  static const Op op("aten::roll");
  return op({{"self", self}, {"shifts", shifts.list}, {"dims", dims.list}});
}
inline Tensor cat(const Tensors& tensors, std::int64_t dim = 0) {
  static const Op op("aten::cat");
  return op({{"tensors", tensors}, {"dim", dim}});
}
inline Tensor stack(const Tensors& tensors, std::int64_t dim = 0) {
  static const Op op("aten::stack");
  return op({{"tensors", tensors}, {"dim", dim}});
}

/// Pieces of `split_size` along `dim`; the last may be smaller.
inline Tensors split(const Tensor& self, std::int64_t split_size, std::int64_t dim = 0) {
  static const Op op("aten::split", "Tensor");
  if (split_size < 1) throw std::invalid_argument("split: pieces of " + std::to_string(split_size) + " elements");
  const auto pieces = (self.size(dim) + split_size - 1) / split_size;
  return op.list({{"self", self}, {"split_size", split_size}, {"dim", dim}},
                 static_cast<std::size_t>(pieces > 0 ? pieces : 1));
}
inline Tensors split_with_sizes(const Tensor& self, const Shape& split_sizes, std::int64_t dim = 0) {
  static const Op op("aten::split_with_sizes");
  return op.list({{"self", self}, {"split_sizes", split_sizes}, {"dim", dim}}, split_sizes.size());
}
inline Tensors chunk(const Tensor& self, std::int64_t chunks, std::int64_t dim = 0) {
  static const Op op("aten::chunk");
  return op.list({{"self", self}, {"chunks", chunks}, {"dim", dim}}, static_cast<std::size_t>(chunks > 0 ? chunks : 0));
}
inline Tensors unbind(const Tensor& self, std::int64_t dim = 0) {
  static const Op op("aten::unbind", "int");
  return op.list({{"self", self}, {"dim", dim}}, static_cast<std::size_t>(self.size(dim)));
}

// ---- memory, history, dtype
inline Tensor contiguous(const Tensor& self) {
  static const Op op("aten::contiguous");
  return op({{"self", self}});
}
/// [N, C, H, W] with the channels of a pixel side by side in memory.
inline Tensor channels_last(const Tensor& self) {
  static const Op op("aten::contiguous");
  return op({{"self", self}, {"memory_format", std::int64_t{2}}});
}
inline Tensor clone(const Tensor& self) {
  static const Op op("aten::clone");
  return op({{"self", self}});
}
/// The same numbers without gradient history.
inline Tensor detach(const Tensor& self) {
  static const Op op("aten::detach");
  return op({{"self", self}});
}
inline Tensor to(const Tensor& self, Dtype dtype) {
  static const Op op("aten::to", "dtype");
  return op({{"self", self}, {"dtype", dtype}});
}
/// A copy in CPU memory, or the tensor itself where it is there already. Waits for the device: not in a training step.
inline Tensor to_cpu(const Tensor& self) {
  static const Op op("aten::to", "device");
  return op({{"self", self}, {"device", "cpu"}, {"dtype", self.dtype()}});
}
/// float16 and bfloat16 become float32; everything else stays.
inline Tensor at_least_float32(const Tensor& self) {
  const Dtype d = self.dtype();
  return d == Dtype::f16 || d == Dtype::bf16 ? to(self, Dtype::f32) : self;
}

}  // namespace v1
}  // namespace kdhost
