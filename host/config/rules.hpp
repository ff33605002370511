// SPDX-License-Identifier: MIT
// What must hold between the values of an experiment, as far as no component has to be asked: names that are unique,
// targets that exist, settings that belong together. Part of host/config; called by the reader.
#pragma once

#include <vector>

#include "config/experiment.hpp"

namespace kdhost {

/// Adds a message for each broken rule. `root` is the tree `experiment` was filled from: it tells what is not written
/// from what is written wrongly and has its own message.
void check_rules(const Experiment& experiment, const Value& root, std::vector<Message>& problems);

}  // namespace kdhost
