// SPDX-License-Identifier: MIT
//
// kdhost/ops.hpp: LibTorch's operators under their own names, for authors of portable plugins: what PyTorch's
// documentation says about a name holds here. Arguments follow ATen's order; keyword arguments become positional ones.
// A result is a new tensor unless the name ends in "_". Every other operator of ATen can be called by its name with Op
// (kdhost/tensor.hpp).
#pragma once
#include <kdhost/ops/creation.hpp>
#include <kdhost/ops/indexing.hpp>
#include <kdhost/ops/linear_algebra.hpp>
#include <kdhost/ops/loss_ops.hpp>
#include <kdhost/ops/network_ops.hpp>
#include <kdhost/ops/pointwise.hpp>
#include <kdhost/ops/reductions.hpp>
#include <kdhost/ops/shapes.hpp>
#include <kdhost/tensor.hpp>

namespace kdhost {
inline namespace v1 {

inline Tensor Tensor::sum() const { return kdhost::sum(*this); }
inline Tensor Tensor::sum(const Dims& dims, bool keepdim) const { return kdhost::sum(*this, dims, keepdim); }
inline Tensor Tensor::mean() const { return kdhost::mean(*this); }
inline Tensor Tensor::mean(const Dims& dims, bool keepdim) const { return kdhost::mean(*this, dims, keepdim); }
inline Tensor Tensor::matmul(const Tensor& other) const { return kdhost::matmul(*this, other); }
inline Tensor Tensor::t() const { return kdhost::t(*this); }
inline Tensor Tensor::transpose(std::int64_t a, std::int64_t b) const { return kdhost::transpose(*this, a, b); }
inline Tensor Tensor::permute(const Shape& dims) const { return kdhost::permute(*this, dims); }
inline Tensor Tensor::reshape(const Shape& shape) const { return kdhost::reshape(*this, shape); }
inline Tensor Tensor::view(const Shape& shape) const { return kdhost::view(*this, shape); }
inline Tensor Tensor::flatten(std::int64_t start, std::int64_t end) const { return kdhost::flatten(*this, start, end); }
inline Tensor Tensor::unsqueeze(std::int64_t d) const { return kdhost::unsqueeze(*this, d); }
inline Tensor Tensor::squeeze(std::int64_t d) const { return kdhost::squeeze(*this, d); }
inline Tensor Tensor::expand(const Shape& shape) const { return kdhost::expand(*this, shape); }
inline Tensor Tensor::contiguous() const { return kdhost::contiguous(*this); }
inline Tensor Tensor::detach() const { return kdhost::detach(*this); }
inline Tensor Tensor::clone() const { return kdhost::clone(*this); }
inline Tensor Tensor::to(Dtype dtype) const { return kdhost::to(*this, dtype); }
inline Tensor Tensor::index_select(std::int64_t d, const Tensor& index) const {
  return kdhost::index_select(*this, d, index);
}
inline Tensor Tensor::gather(std::int64_t d, const Tensor& index) const { return kdhost::gather(*this, d, index); }
inline Tensor Tensor::narrow(std::int64_t d, std::int64_t start, std::int64_t length) const {
  return kdhost::narrow(*this, d, start, length);
}
inline Tensor Tensor::select(std::int64_t d, std::int64_t index) const { return kdhost::select(*this, d, index); }
inline Tensor Tensor::pow(Scalar exponent) const { return kdhost::pow(*this, exponent); }
inline Tensor Tensor::abs() const { return kdhost::abs(*this); }
inline Tensor Tensor::exp() const { return kdhost::exp(*this); }
inline Tensor Tensor::log() const { return kdhost::log(*this); }
inline Tensor Tensor::sqrt() const { return kdhost::sqrt(*this); }
inline Tensor Tensor::relu() const { return kdhost::relu(*this); }

}  // namespace v1
}  // namespace kdhost
