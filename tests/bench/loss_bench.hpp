// SPDX-License-Identifier: MIT
// What loss_bench measures: a shipped loss beside the same formula composed of LibTorch's operators, as a script would
// write it. A family of losses lists its cases in a source of its own.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "../plugins/shipped_component.hpp"
#include "tensor/aten.hpp"

namespace loss_bench {

using at::Tensor;
using kdhost::test::Settings;
using S = std::string;  // a setting must not decay to bool
/// The tensors of a case in the order of its inputs: student, teacher, and what the loss takes beside them.
using Given = const std::vector<Tensor>&;

/// Tensors by port; elements of list ports as "student.features.0". Those of the student that hold floating-point
/// numbers get a gradient.
using Inputs = std::vector<std::pair<std::string, at::Tensor>>;

struct Case {
  std::string library, id;
  kdhost::test::Settings settings;
  std::string shape;  ///< for the table
  Inputs inputs;
  /// The same value from the same tensors, in the order of `inputs`.
  std::function<at::Tensor(const std::vector<at::Tensor>&)> composed;
  double bar = 1.0;         ///< least ratio of times, LibTorch / kdhost
  double memory_bar = 0.0;  ///< largest ratio of peak memory, kdhost / LibTorch; 0: none
  double tolerance = 1e-3;  ///< how far the values may be apart, relative; larger where a part is drawn at random
  int64_t samples = 0;      ///< of the data set, where the loss asks for it
};

inline at::Tensor normalised(const at::Tensor& x, int64_t dim) { return x / x.norm(2, dim, true).clamp_min(1e-12); }
/// One tap of each shape on both sides, drawn.
inline Inputs taps(const std::vector<std::vector<int64_t>>& shapes) {
  Inputs made;
  for (const std::string side : {"student", "teacher"})
    for (std::size_t i = 0; i < shapes.size(); ++i)
      made.emplace_back(side + ".features." + std::to_string(i), at::randn(shapes[i]));
  return made;
}
inline double samples(const at::Tensor& x) { return static_cast<double>(x.size(0)); }

std::vector<Case> logit_cases();
std::vector<Case> feature_cases();
std::vector<Case> relation_cases();
std::vector<Case> network_cases();
std::vector<Case> sequence_cases();
std::vector<Case> task_cases();

}  // namespace loss_bench
