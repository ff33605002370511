// SPDX-License-Identifier: MIT
// From a kdh_value to what a LibTorch operator wants for one argument. The schema is read once, when the operator is
// found; a call then only switches over a small number.
#pragma once

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>
#include <kdhost/abi.h>

#include <string>

namespace kdhost {

/// How an argument's type is served.
enum class Conversion : uint8_t {
  tensor,
  scalar,  ///< LibTorch's Scalar: int, float and bool stay what they are, since type promotion depends on it
  integer,
  number,
  boolean,
  text,
  dtype,
  layout,
  memory_format,
  device,
  generator,
  int_list,
  float_list,
  bool_list,
  scalar_list,
  text_list,
  tensor_list,
  optional_tensor_list,
  unsupported  ///< never by name: only its default can be used
};

/// One argument of a schema.
struct OperatorArgument {
  std::string name;
  std::string type;  ///< as the schema writes it, for messages
  Conversion conversion = Conversion::unsupported;
  bool optional = false;
  int32_t length = 0;  ///< of a list with a fixed length; one number is then repeated
  bool has_default = false;
  c10::IValue fallback;
};

OperatorArgument read_argument(const c10::Argument& argument);

/// Puts the converted value into `out`. False when the value does not fit the type; c10::Error where LibTorch itself
/// refuses (a device text that it cannot read).
bool convert(const OperatorArgument& argument, const kdh_value& value, c10::IValue& out);

/// "int 3", "float list [0.5, 1]", "float32 [64, 10] on cpu": what was found, for messages.
std::string value_text(const kdh_value& value);

}  // namespace kdhost
