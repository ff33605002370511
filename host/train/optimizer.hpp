// SPDX-License-Identifier: MIT
// Step 9 and 10 in the life of a batch: clip the gradients if asked, then sgd, adam or adamw on LibTorch's fused
// kernels. Holds the optimizer's state by parameter name, so that checkpoints and stages can carry it.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <vector>

#include "config/experiment.hpp"
#include "tensor/safetensors.hpp"

namespace kdhost {

/// The numbers of [optimizer] at one step; a schedule may drive each of them.
struct OptimizerValues {
  double lr = 0.0;
  double momentum = 0.0;
  double beta1 = 0.0, beta2 = 0.0;
  double eps = 0.0;
  double weight_decay = 0.0;
  double clip_norm = 0.0;

  OptimizerValues() = default;
  explicit OptimizerValues(const OptimizerSettings& settings);
  /// The number that a schedule calls optimizer.KEY; null for a key that is none.
  double* find(std::string_view key);
};

/// A tensor that is trained. `name` is unique in the run: "student/fc1.weight", "loss.hint/regressor.weight".
struct TrainedParameter {
  std::string name;
  at::Tensor tensor;
  bool no_decay = false;  ///< a bias or a normalisation's scale
};

class Optimizer {
 public:
  Optimizer(const OptimizerSettings& settings, std::vector<TrainedParameter> parameters);

  const std::vector<TrainedParameter>& parameters() const { return parameters_; }

  /// Clips, then updates every parameter that has a gradient (one without is left alone, as in PyTorch).
  /// `found_nonfinite`: undefined, or a float32 scalar on the device; not 0 means that nothing is changed.
  void step(const OptimizerValues& values, const at::Tensor& found_nonfinite = {});
  void drop_gradients();

  /// The state of all parameters, named "optimizer/PARAMETER/exp_avg" and so on; shares memory with the optimizer.
  std::vector<NamedTensor> state() const;
  /// The opposite; what the file lacks starts anew. Error (data) where shapes differ.
  void load(const SafetensorsFile& file);
  /// Goes on with another optimizer's state of the parameters that both have (the next stage).
  void take_state(const Optimizer& before);

 private:
  /// Momentum buffers (sgd) or moments (adam); undefined until the parameter's first step.
  struct State {
    at::Tensor first, second;
    at::Tensor steps;  ///< adam: float32 scalar, as the fused kernels want it
  };
  struct Lists;
  void run(Lists& lists, const OptimizerValues& values, double weight_decay, bool first_step, const at::Tensor& found);

  OptimizerKind kind_;
  bool nesterov_;
  bool decay_norm_bias_;
  std::vector<TrainedParameter> parameters_;
  std::vector<State> states_;
};

/// Euclidean norm of all gradients together, scaled down to `limit` where it is larger; never waits for the device.
void clip_gradients(const std::vector<at::Tensor>& gradients, double limit);

}  // namespace kdhost
