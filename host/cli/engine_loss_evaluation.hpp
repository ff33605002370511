// SPDX-License-Identifier: MIT
// What `kdhost loss` knows of a loss after one evaluation.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tensor/safetensors.hpp"

namespace kdhost {

struct LossEvaluation {
  std::string id;
  std::vector<std::string> sets;  ///< the parameters as they were given
  double value = 0;
  at::ScalarType dtype = at::kFloat;
  /// What the loss named of its value.
  std::vector<std::pair<std::string, double>> terms;
  /// Of each tensor of the student's side.
  std::vector<NamedTensor> gradients;
  /// Of each trained part, by its name.
  std::vector<NamedTensor> part_gradients;
  bool has_parts = false;
  /// Parts that no file gave.
  std::vector<std::string> drawn;
};

}  // namespace kdhost
