// SPDX-License-Identifier: MIT
// Two losses, or two variants of one, side by side: `kdhost loss ID --compare OTHER`. A factor between them is a
// learning rate; an angle between their gradients is another method.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/engine_loss_evaluation.hpp"

namespace kdhost {

/// The gradients of one input, or of all together.
struct GradientPair {
  std::string input;
  double first_norm = 0, other_norm = 0;
  std::optional<double> ratio;  ///< other / first; none where the first is 0
  std::optional<double> angle;  ///< degrees; none where one of them is 0
};

struct LossComparison {
  std::optional<double> ratio;       ///< of the values, other / first; none where the first is 0
  std::vector<GradientPair> inputs;  ///< every tensor of the student's side that one of them takes
  GradientPair all;                  ///< named "all"
};

/// Error (data) where a tensor of the student's side has two shapes.
LossComparison compare(const LossEvaluation& first, const LossEvaluation& other);

std::string comparison_text(const LossEvaluation& first, const LossEvaluation& other, const LossComparison& result);
nlohmann::ordered_json comparison_json(const LossComparison& result);

}  // namespace kdhost
