// SPDX-License-Identifier: MIT
//
// kdhost/ops/creation.hpp: new tensors, filled with numbers or with random draws. They are made on the device of
// `like`, on the CPU without one. Random draws come from the generator that is named, never from a hidden one. Part of
// <kdhost/ops.hpp>.
#pragma once
#include <kdhost/tensor.hpp>

namespace kdhost {
inline namespace v1 {

/// Zeros; the form without a dtype takes that of `like`.
inline Tensor zeros(const Shape& size, Dtype dtype = Dtype::f32, const Tensor& like = {}) {
  static const Op here("aten::zeros"), there("aten::new_zeros");
  if (like) return there({{"self", like}, {"size", size}, {"dtype", dtype}});
  return here({{"size", size}, {"dtype", dtype}});
}
inline Tensor zeros(const Shape& size, const Tensor& like) { return zeros(size, like.dtype(), like); }
/// Ones.
inline Tensor ones(const Shape& size, Dtype dtype = Dtype::f32, const Tensor& like = {}) {
  static const Op here("aten::ones"), there("aten::new_ones");
  if (like) return there({{"self", like}, {"size", size}, {"dtype", dtype}});
  return here({{"size", size}, {"dtype", dtype}});
}
inline Tensor ones(const Shape& size, const Tensor& like) { return ones(size, like.dtype(), like); }
/// fill_value everywhere.
inline Tensor full(const Shape& size, Scalar fill_value, Dtype dtype = Dtype::f32, const Tensor& like = {}) {
  static const Op here("aten::full"), there("aten::new_full");
  if (like) return there({{"self", like}, {"size", size}, {"fill_value", fill_value}, {"dtype", dtype}});
  return here({{"size", size}, {"fill_value", fill_value}, {"dtype", dtype}});
}
inline Tensor full(const Shape& size, Scalar fill_value, const Tensor& like) {
  return full(size, fill_value, like.dtype(), like);
}

inline Tensor zeros_like(const Tensor& self) {
  static const Op op("aten::zeros_like");
  return op({{"self", self}});
}
inline Tensor ones_like(const Tensor& self) {
  static const Op op("aten::ones_like");
  return op({{"self", self}});
}
inline Tensor full_like(const Tensor& self, Scalar fill_value) {
  static const Op op("aten::full_like");
  return op({{"self", self}, {"fill_value", fill_value}});
}
/// Not initialised.
inline Tensor empty_like(const Tensor& self) {
  static const Op op("aten::empty_like");
  return op({{"self", self}});
}

/// start, start + step, ... up to but without end.
inline Tensor arange(Scalar start, Scalar end, Scalar step = 1, Dtype dtype = Dtype::i64, const Tensor& like = {}) {
  static const Op op("aten::arange", "start_out");  // the operator resizes an empty `out`, which names the device
  const Tensor out = Tensor::empty({0}, dtype, like);
  return op({{"start", start}, {"end", end}, {"step", step}, {"out", out}});
}
inline Tensor arange(Scalar end, Dtype dtype = Dtype::i64, const Tensor& like = {}) {
  return arange(0, end, 1, dtype, like);
}
/// `steps` numbers from start to end, both included.
inline Tensor linspace(Scalar start, Scalar end, std::int64_t steps, Dtype dtype = Dtype::f32,
                       const Tensor& like = {}) {
  static const Op op("aten::linspace", "out");
  const Tensor out = Tensor::empty({0}, dtype, like);
  return op({{"start", start}, {"end", end}, {"steps", steps}, {"out", out}});
}
/// The identity matrix [n, n].
inline Tensor eye(std::int64_t n, Dtype dtype = Dtype::f32, const Tensor& like = {}) {
  static const Op op("aten::eye", "out");
  const Tensor out = Tensor::empty({0}, dtype, like);
  return op({{"n", n}, {"out", out}});
}

// ---- random draws
/// Uniform in [0, 1).
inline Tensor rand(const Shape& size, Generator generator, Dtype dtype = Dtype::f32, const Tensor& like = {}) {
  static const Op op("aten::uniform_");
  const Tensor self = Tensor::empty(size, dtype, like);
  return op({{"self", self}, {"generator", generator}});
}
/// Standard normal.
inline Tensor randn(const Shape& size, Generator generator, Dtype dtype = Dtype::f32, const Tensor& like = {}) {
  static const Op op("aten::normal_");
  const Tensor self = Tensor::empty(size, dtype, like);
  return op({{"self", self}, {"generator", generator}});
}
inline Tensor rand_like(const Tensor& self, Generator generator) {
  static const Op op("aten::uniform_");
  const Tensor out = empty_like(self);
  return op({{"self", out}, {"generator", generator}});
}
inline Tensor randn_like(const Tensor& self, Generator generator) {
  static const Op op("aten::normal_");
  const Tensor out = empty_like(self);
  return op({{"self", out}, {"generator", generator}});
}
/// int64 from low to high - 1.
inline Tensor randint(std::int64_t low, std::int64_t high, const Shape& size, Generator generator,
                      const Tensor& like = {}) {
  static const Op op("aten::random_", "from");
  const Tensor self = Tensor::empty(size, Dtype::i64, like);
  return op({{"self", self}, {"from", low}, {"to", high}, {"generator", generator}});
}
/// 0 .. n-1 in random order, int64.
inline Tensor randperm(std::int64_t n, Generator generator, const Tensor& like = {}) {
  static const Op op("aten::randperm", "generator_out");
  const Tensor out = Tensor::empty({0}, Dtype::i64, like);
  return op({{"n", n}, {"generator", generator}, {"out", out}});
}
/// 1 with probability self, else 0; the dtype of self.
inline Tensor bernoulli(const Tensor& self, Generator generator) {
  static const Op op("aten::bernoulli");
  return op({{"self", self}, {"generator", generator}});
}
/// `num_samples` indices a row, each drawn with the row's weights; int64.
inline Tensor multinomial(const Tensor& self, std::int64_t num_samples, bool replacement, Generator generator) {
  static const Op op("aten::multinomial");
  return op({{"self", self}, {"num_samples", num_samples}, {"replacement", replacement}, {"generator", generator}});
}

}  // namespace v1
}  // namespace kdhost
