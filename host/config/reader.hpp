// SPDX-License-Identifier: MIT
// From an experiment file to an Experiment: the entry of host/config. Everything that can be known without asking a
// component is checked here, and all errors are reported together.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/launch.hpp"
#include "config/experiment.hpp"

namespace kdhost {

struct ReadOptions {
  /// Values of --set, "key.path=value".
  std::vector<std::string> overrides{};
  /// Where ${NAME} is looked up.
  EnvironmentLookup environment = environment_variable;
  /// Checks of a higher layer (what components say), run on what could be read, so that all problems of a file are
  /// reported together. May be empty.
  std::function<void(Experiment& experiment, std::vector<Message>& problems)> further_checks{};
};

/// Reads and checks an experiment file. Names left out are filled in: a term's name from its id, "stage1" and so on,
/// 10 epochs where neither epochs nor steps nor stages are written, the metric kdhost.accuracy.
/// Errors: a malformed override -> Error(usage); everything else -> one Error(experiment) with all messages, in file
/// order.
Experiment read_experiment(const std::string& path, const ReadOptions& options = {});

/// The same with the text of the file given; `path` stands in messages and is what paths are relative to.
Experiment parse_experiment(const std::string& text, const std::string& path, const ReadOptions& options = {});

}  // namespace kdhost
