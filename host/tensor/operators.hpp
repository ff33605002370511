// SPDX-License-Identifier: MIT
// LibTorch's operators by name with named arguments: how portable plugins compute. Each operator is looked up once; its
// schema is turned into a list of conversions, so that a call costs little more than LibTorch's own.
#pragma once

#include <kdhost/abi.h>

#include <cstdint>
#include <string>

namespace kdhost {

/// Thrown inside the host table's functions and turned there into a status and text; never leaves host/tensor.
struct HostRefusal {
  kdh_status status;
  std::string text;
};

class Operator;

/// Found once, kept as long as the process. HostRefusal (not found) names the overloads there are, or the nearest name.
const Operator& find_operator(const char* name, const char* overload);

/// Converts the arguments, runs the operator, spreads its results (a list of tensors is as many results). On any
/// failure nothing is left in `results`.
void run_operator(const Operator& op, const kdh_arg* args, uint64_t n_args, kdh_value* results, uint64_t capacity,
                  uint64_t* n_results);

}  // namespace kdhost
