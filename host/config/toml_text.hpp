// SPDX-License-Identifier: MIT
// From TOML text to a Value tree with places, and from a path on disk to that text. The only file that knows the
// TOML library. Limits on size, nesting and number of values keep hostile files from hurting. Part of host/config.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/launch.hpp"
#include "config/value.hpp"

namespace kdhost {

/// Bytes of one file; an experiment has a few thousand.
constexpr std::size_t kLargestFile = std::size_t{16} << 20;
/// Tables and lists inside one another.
constexpr int kDeepestNesting = 64;
/// Values of one file.
constexpr std::size_t kMostValues = 100'000;

/// The table that `text` is. `${NAME}` and `${NAME:-default}` in strings are replaced from `environment`; `$${`
/// stands for `${`. Values that no experiment may hold (dates, unset variables) are added to `problems` and left out.
/// Errors: not TOML, or beyond a limit -> Error(experiment) with the place.
Value parse_toml(std::string_view text, const std::string& file, const EnvironmentLookup& environment,
                 std::vector<Message>& problems);

/// The text of an experiment file. Errors: Error(experiment) with path and reason; `from` is the place that names
/// the file, where another file does.
std::string read_experiment_text(const std::string& path, const Place& from = {});

/// The value of `--set KEY=VALUE`: TOML where it is, else the text itself as a string, so that quotes are needed
/// only for texts that look like something else. All places are `label`.
Value parse_override(const std::string& text, const std::string& label, const EnvironmentLookup& environment,
                     std::vector<Message>& problems);

}  // namespace kdhost
