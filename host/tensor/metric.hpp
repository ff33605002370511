// SPDX-License-Identifier: MIT
// A metric component: sums over samples of each batch, and numbers made of the sums at the end, so that a metric never
// depends on how the data were cut into batches.
#pragma once

#include "tensor/instance.hpp"

namespace kdhost {

class MetricInstance : public Instance {
 public:
  MetricInstance(Origin origin, Creation creation);

  bool higher_is_better() const { return (description().flags & KDH_COMPONENT_LOWER_BETTER) == 0; }

  Inputs& inputs() { return inputs_; }
  const Inputs& inputs() const { return inputs_; }

  /// Forgets the sums.
  void reset();
  /// Adds the sums of one batch, on the device, without waiting for it and without gradient. Error (plugin) when the
  /// component fails or the sums are not float64 [S] with the same S in every call.
  void add(const CallSettings& settings);
  /// The numbers made of all sums since reset; the first is the metric's value. Waits for the device. Error (plugin)
  /// when there is none; Error (internal) when no batch was added.
  const Numbers& result(const CallSettings& settings);

 private:
  Inputs inputs_;
  Call call_;
  at::Tensor sums_;
  Numbers numbers_;
  const kdh_metric* table_ = nullptr;
};

}  // namespace kdhost
