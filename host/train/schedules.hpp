// SPDX-License-Identifier: MIT
// Numbers that change while training: each [[schedule]] drives one target. Values are pure functions of the moment, so
// a resumed run repeats them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plugin/record.hpp"
#include "tensor/scheduler.hpp"

namespace kdhost {

/// One schedule bound to the number that it drives.
struct BoundSchedule {
  std::string target;  ///< as written: "loss.kd.weight"
  std::unique_ptr<SchedulerInstance> scheduler;
  bool factor = false;  ///< multiply the base instead of replacing it
  double base = 0.0;    ///< the value in the file
  ParamInfo range{};    ///< what the target may be; without bounds unless it is a component's parameter
  Place place{};        ///< of the schedule
  std::function<void(double)> set;
};

class Schedules {
 public:
  void add(BoundSchedule schedule) { list_.push_back(std::move(schedule)); }
  /// Gives every target its value at this moment. Error (experiment) when a schedule leaves the target's range.
  void apply(const kdh_moment& moment);
  /// The same error before training, from up to `samples` moments of the stage. What follows validation is not known
  /// yet and may still leave the range.
  void check_ranges(const kdh_moment& moment, int64_t samples = 256) const;
  /// For runs without validation values. Error (experiment) when a schedule's value is another one with them: it would
  /// never get any.
  void check_independent_of_validation(const kdh_moment& moment, int64_t samples = 16) const;
  /// Gives every target the value in the file back.
  void reset();
  /// target = value of the last apply, for metrics.jsonl.
  const std::vector<std::pair<std::string, double>>& values() const { return values_; }
  bool drives(const std::string& target) const;
  /// The largest |value| over the stage, at up to `samples` moments: a weight that is 0 for ever is a mistake.
  double largest(const std::string& target, const kdh_moment& moment, int64_t samples = 64) const;

 private:
  std::vector<BoundSchedule> list_;
  std::vector<std::pair<std::string, double>> values_;
};

}  // namespace kdhost
