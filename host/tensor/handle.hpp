// SPDX-License-Identifier: MIT
// Tensors as they cross the plugin boundary. A kdh_tensor is the address of the at::TensorImpl itself: a result carries
// one counted reference, an argument none. So handing a tensor over costs no allocation, and lending one costs nothing.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/UndefinedTensorImpl.h>
#include <kdhost/abi.h>

#include <string>
#include <string_view>
#include <utility>

namespace kdhost {

using TensorPointer = c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>;

inline std::string_view view(kdh_str text) {
  return {text.data != nullptr ? text.data : "", static_cast<std::size_t>(text.size)};
}
inline kdh_str borrow(std::string_view text) { return {text.data(), text.size()}; }

/// A borrowed handle, valid while a reference to the tensor lives; null for an undefined tensor.
inline kdh_tensor lend(const at::Tensor& tensor) {
  return tensor.defined() ? reinterpret_cast<kdh_tensor>(tensor.unsafeGetTensorImpl()) : nullptr;
}

/// A handle that carries the reference of `tensor`; whoever receives it must release it.
inline kdh_tensor give(at::Tensor&& tensor) {
  return tensor.defined() ? reinterpret_cast<kdh_tensor>(tensor.unsafeReleaseTensorImpl()) : nullptr;
}

/// The opposite of give: the reference now belongs to the result. Null becomes an undefined tensor.
inline at::Tensor take(kdh_tensor handle) {
  if (handle == nullptr) return {};
  return at::Tensor(TensorPointer::reclaim(reinterpret_cast<at::TensorImpl*>(handle)));
}

/// A reference of our own to a borrowed handle.
inline at::Tensor tensor(kdh_tensor handle) {
  if (handle == nullptr) return {};
  return at::Tensor(TensorPointer::reclaim_copy(reinterpret_cast<at::TensorImpl*>(handle)));
}

/// "float32", "bfloat16", "int64" …: the names PyTorch users know.
std::string dtype_name(at::ScalarType dtype);
/// True for the numbers KDH_DTYPE_*, which equal LibTorch's.
bool known_dtype(int32_t dtype);
/// "float32 [64, 10] on cpu", or "no tensor".
std::string tensor_text(const at::Tensor& tensor);

}  // namespace kdhost
