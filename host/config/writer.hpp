// SPDX-License-Identifier: MIT
// The experiment as a file again: resolved.toml with every default written out, and the hash that names it. Part of
// host/config.
#pragma once

#include <string>

#include "config/experiment.hpp"

namespace kdhost {

/// The whole experiment as TOML in the order of the schema, paths absolute. Reading it gives an equal Experiment.
/// Parameters stand as they are in the structs: the caller fills in resolved ones first.
std::string resolved_toml(const Experiment& experiment);

/// 32 hexadecimal digits of what is computed: resolved_toml without the title, and without the device, threads and
/// routes, which decide the last bits only: a run records those it began with and keeps them when it is resumed.
std::string experiment_hash(const Experiment& experiment);

}  // namespace kdhost
