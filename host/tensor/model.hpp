// SPDX-License-Identifier: MIT
// A model component. Steps 5 and 6 in the life of a batch: teacher and student forward. The instance holds no tensors:
// it runs with the Parts it is given, so one instance serves the student of each seed, its average and the baseline.
#pragma once

#include "tensor/instance.hpp"

namespace kdhost {

class ModelInstance : public Instance {
 public:
  ModelInstance(Origin origin, Creation creation);

  /// The batch fields it reads ("batch.input"): add ports once, set tensors before each forward.
  Inputs& inputs() { return inputs_; }
  const Inputs& inputs() const { return inputs_; }

  /// Runs the model and fills `out` with the results that `wants` asks for ("logits" and taps). Error (plugin) when the
  /// component fails, names a result twice, leaves out a wanted one, gives one on another device or of another shape
  /// than in its first call with inputs of this shape, or without a gradient where it trains. In evaluation without
  /// KDH_CALL_DRY buffer writes are applied at once, in training they stay pending. The caller chooses the gradient
  /// mode (at::NoGradGuard for a teacher). With KDH_CALL_FROZEN derived tensors are kept in `parts` until they change.
  void forward(Parts& parts, const CallSettings& settings, const Wants& wants, Outputs& out);

 private:
  void call(Parts& parts, const CallSettings& settings, const Wants& wants, Outputs& out);

  Inputs inputs_;
  Call call_;
  KnownResults known_;
  const kdh_model* table_ = nullptr;
};

}  // namespace kdhost
