// SPDX-License-Identifier: MIT
// What schedules may drive: each target must name a number of the experiment, and each number has one schedule at
// most. Part of host/config; the plugin layer checks parameters further.
#pragma once

#include <string>
#include <vector>

#include "config/experiment.hpp"

namespace kdhost {

/// Numbers of [optimizer] that a schedule may drive with this rule.
std::vector<std::string> schedulable_keys(OptimizerKind kind);

/// Adds a message for each target that names nothing and each that is driven twice, in the file and in its stages.
void check_schedule_targets(const Experiment& experiment, std::vector<Message>& problems);

}  // namespace kdhost
