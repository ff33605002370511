// SPDX-License-Identifier: MIT
// Steps 6 to 10 in the life of a batch: student forward, losses, backward, clip, update. It reads from top to bottom in
// distill_step.cpp: no callback, hook or observer.
#pragma once

#include <memory>
#include <vector>

#include "train/feed.hpp"

namespace kdhost {

/// What one training of one student changes: its parts, those of loss terms, of teachers that follow or learn, and the
/// optimizer.
struct Learner {
  Parts student;
  std::vector<Parts> terms;     ///< by Term::parts
  std::vector<Parts> teachers;  ///< by teacher; empty for frozen ones
  std::unique_ptr<Optimizer> optimizer;
};

/// The values of one optimizer step, still on the device.
struct StepReport {
  /// By term, detached, of the last micro-batch; undefined: skipped, it saw no label.
  std::vector<at::Tensor> values;
  /// By term, what the loss named of its value; likewise. Empty where nobody asked.
  std::vector<std::vector<std::pair<std::string, at::Tensor>>> named;
  at::Tensor nonfinite;  ///< CUDA: float32 scalar, not 0 when the step was not taken
};

class DistillStep {
 public:
  DistillStep(Assembly& assembly, Feed& feed, Learner& learner, int64_t seed);

  /// One optimizer step over micro-batches [first, first + count) of a pass. `moment` says where training stands;
  /// `random_step` counts steps through all stages. Error (diverged) on the CPU when a value or gradient is not finite:
  /// then no weight was changed. `names`: the losses are asked for the parts of their values, for the log.
  StepReport run(StagePlan& stage, const kdh_moment& moment, int64_t random_step, int64_t pass, int64_t first,
                 int64_t count, bool names);

 private:
  void forward_models(StagePlan& stage, const FedBatch& fed, const CallSettings& settings);
  const at::Tensor& tensor_of(const Source& source, const FedBatch& fed);
  at::Tensor compute(Term& term, const FedBatch& fed, const CallSettings& settings);
  void check_value(const Term& term, const at::Tensor& value) const;
  static void backward(const std::vector<at::Tensor>& roots, const std::vector<at::Tensor>& weights);
  void follow_student();

  Assembly& assembly_;
  Feed& feed_;
  Learner& learner_;
  int64_t seed_;
  std::vector<Outputs> outputs_;  ///< by model, of this batch
  std::vector<at::Tensor> held_;  ///< keeps what Inputs borrows
};

}  // namespace kdhost
