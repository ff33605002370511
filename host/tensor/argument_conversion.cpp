// SPDX-License-Identifier: MIT
// Conversions between the values of the plugin boundary and LibTorch's; see argument_conversion.hpp.
#include "tensor/argument_conversion.hpp"

#include <ATen/core/List.h>
#include <ATen/core/jit_type.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "tensor/aten.hpp"
#include "tensor/handle.hpp"

namespace kdhost {
namespace {

using c10::TypeKind;

Conversion list_conversion(const c10::Type& element) {
  switch (element.kind()) {
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      return Conversion::int_list;
    case TypeKind::FloatType:
      return Conversion::float_list;
    case TypeKind::BoolType:
      return Conversion::bool_list;
    case TypeKind::NumberType:
      return Conversion::scalar_list;
    case TypeKind::StringType:
      return Conversion::text_list;
    case TypeKind::TensorType:
      return Conversion::tensor_list;
    case TypeKind::OptionalType:
      return element.castRaw<c10::OptionalType>()->getElementType()->kind() == TypeKind::TensorType
                 ? Conversion::optional_tensor_list
                 : Conversion::unsupported;
    default:
      return Conversion::unsupported;
  }
}

// `real` tells ScalarType, Layout and MemoryFormat apart, which are plain integers in `type`.
Conversion conversion_of(const c10::Type& type, const c10::Type& real) {
  switch (real.kind()) {
    case TypeKind::ScalarTypeType:
      return Conversion::dtype;
    case TypeKind::LayoutType:
      return Conversion::layout;
    case TypeKind::MemoryFormatType:
      return Conversion::memory_format;
    default:
      break;
  }
  switch (type.kind()) {
    case TypeKind::TensorType:
      return Conversion::tensor;
    case TypeKind::NumberType:
      return Conversion::scalar;
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      return Conversion::integer;
    case TypeKind::FloatType:
      return Conversion::number;
    case TypeKind::BoolType:
      return Conversion::boolean;
    case TypeKind::StringType:
      return Conversion::text;
    case TypeKind::DeviceObjType:
      return Conversion::device;
    case TypeKind::GeneratorType:
      return Conversion::generator;
    case TypeKind::ListType:
      return list_conversion(*type.castRaw<c10::ListType>()->getElementType());
    default:
      return Conversion::unsupported;
  }
}

bool fits_enumeration(Conversion conversion, int64_t value) {
  switch (conversion) {
    case Conversion::dtype:
      return value >= 0 && value < 64 && known_dtype(static_cast<int32_t>(value));
    case Conversion::layout:
      return value == static_cast<int64_t>(at::kStrided);
    default:  // contiguous, preserve, channels_last, channels_last_3d
      return value >= 0 && value <= 3;
  }
}

bool convert_ints(const OperatorArgument& argument, const kdh_value& value, c10::IValue& out) {
  if (value.type == KDH_T_INT_LIST) {
    out = c10::IValue(at::IntArrayRef(value.u.ints, value.count));
    return true;
  }
  if (value.type != KDH_T_INT) return false;
  if (argument.length <= 1) {
    out = c10::IValue(at::IntArrayRef(value.u.i));
    return true;
  }
  out = c10::IValue(at::IntArrayRef(std::vector<int64_t>(static_cast<std::size_t>(argument.length), value.u.i)));
  return true;
}

bool convert_floats(const OperatorArgument& argument, const kdh_value& value, c10::IValue& out) {
  c10::List<double> list;
  switch (value.type) {
    case KDH_T_FLOAT_LIST:
      for (uint64_t i = 0; i < value.count; ++i) list.push_back(value.u.floats[i]);
      break;
    case KDH_T_INT_LIST:
      for (uint64_t i = 0; i < value.count; ++i) list.push_back(static_cast<double>(value.u.ints[i]));
      break;
    case KDH_T_FLOAT:
    case KDH_T_INT: {
      const double number = value.type == KDH_T_FLOAT ? value.u.f : static_cast<double>(value.u.i);
      for (int32_t i = 0; i < std::max(argument.length, 1); ++i) list.push_back(number);
      break;
    }
    default:
      return false;
  }
  out = std::move(list);
  return true;
}

bool convert_list(const OperatorArgument& argument, const kdh_value& value, c10::IValue& out) {
  switch (argument.conversion) {
    case Conversion::int_list:
      return convert_ints(argument, value, out);
    case Conversion::float_list:
      return convert_floats(argument, value, out);
    case Conversion::bool_list: {
      if (value.type != KDH_T_INT_LIST) return false;
      c10::List<bool> list;
      for (uint64_t i = 0; i < value.count; ++i) list.push_back(value.u.ints[i] != 0);
      out = std::move(list);
      return true;
    }
    case Conversion::scalar_list: {
      c10::impl::GenericList list(c10::NumberType::get());
      for (uint64_t i = 0; i < value.count; ++i) {
        if (value.type == KDH_T_FLOAT_LIST)
          list.push_back(value.u.floats[i]);
        else if (value.type == KDH_T_INT_LIST)
          list.push_back(value.u.ints[i]);
        else
          return false;
      }
      out = list;
      return value.type == KDH_T_FLOAT_LIST || value.type == KDH_T_INT_LIST;
    }
    case Conversion::text_list: {
      if (value.type != KDH_T_STRING_LIST) return false;
      c10::List<std::string> list;
      for (uint64_t i = 0; i < value.count; ++i) list.push_back(std::string(view(value.u.strings[i])));
      out = std::move(list);
      return true;
    }
    case Conversion::tensor_list: {
      if (value.type != KDH_T_TENSOR_LIST) return false;
      c10::List<at::Tensor> list;
      list.reserve(value.count);
      for (uint64_t i = 0; i < value.count; ++i) list.push_back(tensor(value.u.tensors[i]));
      out = std::move(list);
      return true;
    }
    case Conversion::optional_tensor_list: {  // indices: an absent one means "all"
      if (value.type != KDH_T_TENSOR_LIST) return false;
      c10::List<std::optional<at::Tensor>> list;
      list.reserve(value.count);
      for (uint64_t i = 0; i < value.count; ++i) {
        const kdh_tensor handle = value.u.tensors[i];
        list.push_back(handle != nullptr ? std::optional<at::Tensor>(tensor(handle)) : std::nullopt);
      }
      out = std::move(list);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

OperatorArgument read_argument(const c10::Argument& argument) {
  OperatorArgument made;
  made.name = argument.name();
  made.type = argument.real_type()->str();
  made.has_default = argument.default_value().has_value();
  if (made.has_default) made.fallback = *argument.default_value();
  made.length = argument.N().value_or(0);
  const c10::Type* type = argument.type().get();
  const c10::Type* real = argument.real_type().get();
  if (type->kind() == TypeKind::OptionalType) {
    made.optional = true;
    type = type->castRaw<c10::OptionalType>()->getElementType().get();
    if (real->kind() == TypeKind::OptionalType) real = real->castRaw<c10::OptionalType>()->getElementType().get();
  }
  made.conversion = conversion_of(*type, *real);
  return made;
}

bool convert(const OperatorArgument& argument, const kdh_value& value, c10::IValue& out) {
  if (value.type == KDH_T_NONE) {
    if (!argument.optional && argument.conversion != Conversion::tensor) return false;
    out = argument.optional ? c10::IValue() : c10::IValue(at::Tensor());
    return true;
  }
  const bool whole = value.type == KDH_T_INT || value.type == KDH_T_BOOL;
  switch (argument.conversion) {
    case Conversion::tensor:
      if (value.type != KDH_T_TENSOR || value.u.tensor == nullptr) return false;
      out = c10::IValue(tensor(value.u.tensor));
      return true;
    case Conversion::scalar:
      if (value.type == KDH_T_FLOAT)
        out = value.u.f;
      else if (value.type == KDH_T_INT)
        out = value.u.i;
      else if (value.type == KDH_T_BOOL)
        out = value.u.i != 0;
      else
        return false;
      return true;
    case Conversion::integer:
      if (whole) out = value.u.i;
      return whole;
    case Conversion::number:
      if (value.type != KDH_T_FLOAT && value.type != KDH_T_INT) return false;
      out = value.type == KDH_T_FLOAT ? value.u.f : static_cast<double>(value.u.i);
      return true;
    case Conversion::boolean:
      if (whole) out = value.u.i != 0;
      return whole;
    case Conversion::text:
      if (value.type != KDH_T_STRING) return false;
      out = std::string(value.u.s, value.count);
      return true;
    case Conversion::dtype:
    case Conversion::layout:
    case Conversion::memory_format:
      if (value.type != KDH_T_INT || !fits_enumeration(argument.conversion, value.u.i)) return false;
      out = value.u.i;
      return true;
    case Conversion::device:
      if (value.type != KDH_T_STRING) return false;
      out = c10::Device(std::string(value.u.s, value.count));
      return true;
    case Conversion::generator:
      if (value.type != KDH_T_GENERATOR || value.u.generator == nullptr) return false;
      out = *reinterpret_cast<const at::Generator*>(value.u.generator);
      return true;
    default:
      return convert_list(argument, value, out);
  }
}

std::string value_text(const kdh_value& value) {
  const auto list = [&](std::string text, auto&& element) {
    text += " list [";
    for (uint64_t i = 0; i < value.count && i < 8; ++i) text += (i > 0 ? ", " : "") + element(i);
    return text + (value.count > 8 ? ", ...]" : "]");
  };
  switch (value.type) {
    case KDH_T_NONE:
      return "nothing";
    case KDH_T_TENSOR:
      return tensor_text(tensor(value.u.tensor));
    case KDH_T_INT:
      return "int " + std::to_string(value.u.i);
    case KDH_T_FLOAT:
      return "float " + shortest(value.u.f);
    case KDH_T_BOOL:
      return value.u.i != 0 ? "bool true" : "bool false";
    case KDH_T_STRING:
      return "string " + quoted(std::string(value.u.s, value.count));
    case KDH_T_INT_LIST:
      return list("int", [&](uint64_t i) { return std::to_string(value.u.ints[i]); });
    case KDH_T_FLOAT_LIST:
      return list("float", [&](uint64_t i) { return shortest(value.u.floats[i]); });
    case KDH_T_TENSOR_LIST:
      return list("tensor", [&](uint64_t i) { return tensor_text(tensor(value.u.tensors[i])); });
    case KDH_T_STRING_LIST:
      return list("string", [&](uint64_t i) { return quoted(std::string(view(value.u.strings[i]))); });
    case KDH_T_GENERATOR:
      return "a generator";
    default:
      return "value type " + std::to_string(value.type);
  }
}

}  // namespace kdhost
