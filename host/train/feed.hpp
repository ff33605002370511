// SPDX-License-Identifier: MIT
// Steps 1 to 5 in the life of a batch: from (pass, number) to a batch on the device with the frozen teachers' outputs.
// A batch is a function of seed, pass and number, so a resumed run gets the same ones.
#pragma once

#include <cstdint>
#include <vector>

#include "train/teacher_outputs.hpp"

namespace kdhost {

class Feed {
 public:
  /// Draws from `samples` in batches of the experiment's size. `chunk`: batches made at once, always starting at a
  /// multiple.
  Feed(Assembly& assembly, TeacherOutputs& outputs, const std::vector<int64_t>& samples, int64_t seed, int64_t chunk);

  /// With drop_last the last batch of a pass, if it is not full, is left out; otherwise it is smaller.
  int64_t batches_per_pass() const { return batches_; }
  /// Forgets prepared batches: they hold what another stage wanted.
  void start(const StagePlan& stage);
  /// The batch; valid until the next call.
  const FedBatch& at(int64_t pass, int64_t number);

 private:
  std::vector<int64_t> samples_of(int64_t pass, int64_t number);
  void prepare(int64_t pass, int64_t first);

  Assembly& assembly_;
  TeacherOutputs& outputs_;
  const std::vector<int64_t>& samples_;
  int64_t seed_, chunk_, batch_, batches_;
  const StagePlan* stage_ = nullptr;
  int64_t order_pass_ = -1;
  std::vector<int64_t> order_;
  int64_t pass_ = -1, first_ = -1;
  std::vector<FedBatch> ready_;
};

}  // namespace kdhost
