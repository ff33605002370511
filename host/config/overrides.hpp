// SPDX-License-Identifier: MIT
// `--set key.path=value`: any value of the file from the command line, by the same paths that schedules use.
// Elements of arrays of tables are addressed by name (loss.kd.weight) or by number from 0 (metric.0.use). Part of
// host/config.
#pragma once

#include <string>
#include <vector>

#include "base/launch.hpp"
#include "config/value.hpp"

namespace kdhost {

/// Applies overrides in order, those of `use` last, so that an element keeps its name for the others.
/// Errors: no '=' or no key -> Error(usage); a path that names nothing is added to `problems`.
void apply_overrides(Value& root, const std::vector<std::string>& overrides, const EnvironmentLookup& environment,
                     std::vector<Message>& problems);

}  // namespace kdhost
