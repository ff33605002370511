// SPDX-License-Identifier: MIT
// How tensors are described in messages.
#include "tensor/handle.hpp"

#include <ATen/core/Tensor.h>

#include "base/text.hpp"

namespace kdhost {

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kByte:
      return "uint8";
    case at::kChar:
      return "int8";
    case at::kShort:
      return "int16";
    case at::kInt:
      return "int32";
    case at::kLong:
      return "int64";
    case at::kHalf:
      return "float16";
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kBool:
      return "bool";
    case at::kBFloat16:
      return "bfloat16";
    default:
      return c10::toString(dtype);
  }
}

bool known_dtype(int32_t dtype) {
  switch (dtype) {
    case KDH_DTYPE_U8:
    case KDH_DTYPE_I8:
    case KDH_DTYPE_I16:
    case KDH_DTYPE_I32:
    case KDH_DTYPE_I64:
    case KDH_DTYPE_F16:
    case KDH_DTYPE_F32:
    case KDH_DTYPE_F64:
    case KDH_DTYPE_BOOL:
    case KDH_DTYPE_BF16:
      return true;
    default:
      return false;
  }
}

std::string tensor_text(const at::Tensor& tensor) {
  if (!tensor.defined()) return "no tensor";
  return dtype_name(tensor.scalar_type()) + " " + shape_text(tensor.sizes()) + " on " + tensor.device().str();
}

}  // namespace kdhost
