// SPDX-License-Identifier: MIT
// The experiment file of a command with everything checked that needs no model: the file itself, what its components
// say, and the files of its teachers. Used by the thin program before it starts the engine, and by the engine.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "cli/options.hpp"
#include "config/experiment.hpp"
#include "plugin/registry.hpp"

namespace kdhost {

/// A checked experiment, its parameters resolved, with the registry that knows its components.
struct ExperimentInput {
  Experiment experiment{};
  std::unique_ptr<Registry> registry{};
  /// The file of each teacher that has `from`, by the teacher's name; checked the same way, without --set.
  std::map<std::string, std::shared_ptr<const ExperimentInput>> teacher_files{};
};

/// Reads `file` with the options' --set, --device, --threads and --plugin-dir. Throws one Error with all problems of a
/// file (exit 3, or 5 where only plugins are to blame).
ExperimentInput read_experiment_input(const std::string& file, const Options& options, const HostAbi& host);

/// The --set options of `kdhost loss` as a table of parameters, to be checked against the component; each value's place
/// is its option. Of two for one parameter the later counts. Throws Error (exit 3) for a value that cannot be.
Value loss_parameters(const Options& options);
/// The same of --other-set, for the loss that --compare names.
Value other_loss_parameters(const Options& options);

}  // namespace kdhost
