// SPDX-License-Identifier: MIT
// Several sources, one tree: a file, the files it includes, and the overrides of the command line. Each value keeps
// the place that wrote it. Part of host/config.
#pragma once

#include <string>
#include <vector>

#include "base/launch.hpp"
#include "config/value.hpp"

namespace kdhost {

/// Files of one experiment, includes counted.
constexpr std::size_t kMostFiles = 64;

/// A file and its includes, merged.
struct Layers {
  Value root{};
  /// The file itself, then its includes in the order they were read.
  std::vector<std::string> files{};
};

/// Reads `path` and what it includes. Included files are read first, in order, so that later ones and at last the
/// file itself win. `text` replaces the content of `path` where it is given.
/// Errors: unreadable, not TOML, in a circle, too many -> Error(experiment); others are added to `problems`.
Layers read_layers(const std::string& path, const std::string* text, const EnvironmentLookup& environment,
                   std::vector<Message>& problems);

/// Puts `over` on top of `base`: tables merge, everything else is replaced. [train].epochs and steps replace each
/// other, since only one of them can hold.
void merge(Value& base, Value over);

/// `path` seen from the file that `place` names; absolute and without "." and "..". Paths of overrides are seen from
/// the current folder.
std::string resolve_path(const std::string& path, const Place& place);

/// The label of an override in messages, "--set key=value": the `file` of its places.
std::string override_label(const std::string& text);
bool is_override(const Place& place);

}  // namespace kdhost
