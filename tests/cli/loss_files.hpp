// SPDX-License-Identifier: MIT
// Files for the tests of `kdhost loss`.
#pragma once

#include <string>
#include <vector>

#include "cli/program.hpp"
#include "tensor/aten.hpp"
#include "tensor/safetensors.hpp"

namespace kdhost::test {

inline void save(const Program& p, const std::string& name, const std::vector<NamedTensor>& tensors) {
  write_safetensors(p / name, tensors, {}, false);
}

/// Numbers between -2 and 2, other ones for another phase.
inline at::Tensor pattern(at::IntArrayRef sizes, double phase, at::ScalarType dtype = at::kDouble) {
  const std::int64_t n = c10::multiply_integers(sizes);
  return at::sin(at::arange(n, at::kDouble) * 0.7 + phase).mul(2.0).reshape(sizes).to(dtype);
}

}  // namespace kdhost::test
