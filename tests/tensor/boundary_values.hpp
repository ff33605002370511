// SPDX-License-Identifier: MIT
// For the tests of host/tensor: short ways to write arguments of the plugin boundary and to call an operator as a
// plugin does, and a component made of plain functions.
#pragma once

#include <kdhost/abi.h>

#include <string>
#include <vector>

#include "base/error.hpp"
#include "tensor/aten.hpp"
#include "tensor/handle.hpp"
#include "tensor/host_table.hpp"
#include "tensor/instance.hpp"

namespace kdhost::testing {

inline kdh_arg argument(const char* name, kdh_type type) {
  kdh_arg made{};
  made.name = borrow(name);
  made.value.type = type;
  return made;
}
inline kdh_arg with_tensor(const char* name, const at::Tensor& value) {
  kdh_arg made = argument(name, KDH_T_TENSOR);
  made.value.u.tensor = lend(value);
  return made;
}
inline kdh_arg with_int(const char* name, int64_t value) {
  kdh_arg made = argument(name, KDH_T_INT);
  made.value.u.i = value;
  return made;
}
inline kdh_arg with_float(const char* name, double value) {
  kdh_arg made = argument(name, KDH_T_FLOAT);
  made.value.u.f = value;
  return made;
}
inline kdh_arg with_bool(const char* name, bool value) {
  kdh_arg made = argument(name, KDH_T_BOOL);
  made.value.u.i = value ? 1 : 0;
  return made;
}
inline kdh_arg with_text(const char* name, std::string_view value) {
  kdh_arg made = argument(name, KDH_T_STRING);
  made.value.count = value.size();
  made.value.u.s = value.data();
  return made;
}
inline kdh_arg with_ints(const char* name, const std::vector<int64_t>& values) {
  kdh_arg made = argument(name, KDH_T_INT_LIST);
  made.value.count = values.size();
  made.value.u.ints = values.data();
  return made;
}
inline kdh_arg with_floats(const char* name, const std::vector<double>& values) {
  kdh_arg made = argument(name, KDH_T_FLOAT_LIST);
  made.value.count = values.size();
  made.value.u.floats = values.data();
  return made;
}
inline kdh_arg with_tensors(const char* name, const std::vector<kdh_tensor>& values) {
  kdh_arg made = argument(name, KDH_T_TENSOR_LIST);
  made.value.count = values.size();
  made.value.u.tensors = values.data();
  return made;
}

/// What an operator call gave: results (tensors taken over), or a status and text.
struct OperatorResult {
  kdh_status status = KDH_OK;
  std::string text;
  std::vector<kdh_value> values;
  std::vector<at::Tensor> tensors;
};

inline OperatorResult call_operator(const char* name, const char* overload, const std::vector<kdh_arg>& args,
                                    uint64_t capacity = 8) {
  const kdh_host& host = host_table();
  OperatorResult result;
  std::vector<kdh_value> room(capacity);
  uint64_t count = 0;
  result.status = host.op_call(&host, name, overload, args.data(), args.size(), room.data(), capacity, &count);
  if (result.status != KDH_OK) {
    result.text = std::string(host_error());
    return result;
  }
  for (uint64_t i = 0; i < count; ++i) {
    result.values.push_back(room[i]);
    result.tensors.push_back(room[i].type == KDH_T_TENSOR ? take(room[i].u.tensor) : at::Tensor());
  }
  return result;
}

/// A component of `kind` whose create and destroy are given; everything else empty.
inline kdh_component component(kdh_kind kind, const char* id,
                               kdh_status (*create)(const kdh_component*, const kdh_create*, void**, const void**)) {
  kdh_component made{};
  made.kind = kind;
  made.id = borrow(id);
  made.version = borrow("1.0.0");
  made.param_size = sizeof(kdh_param);
  made.port_size = sizeof(kdh_port);
  made.create = create;
  made.destroy = [](void*) {};
  return made;
}

inline Origin origin(const kdh_component& component, std::string name) {
  return {&component, KDH_TIER_PORTABLE, "libtest.so", Place{"run.toml", 7, 3}, std::move(name)};
}

/// The text of the Error that `body` throws, with its exit code in front: "5: ...". Empty when it throws none.
template <class Body>
std::string error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.exit())) + ": " + error.what();
  }
  return {};
}

}  // namespace kdhost::testing
