// SPDX-License-Identifier: MIT
// What the folder of a run says about itself: whose run it is and how far it came. Part of host/config, and not of the
// layers with LibTorch, because the thin program must know how a run began before it starts the engine that resumes it.
#pragma once

#include <optional>
#include <string>

#include "config/experiment.hpp"

namespace kdhost {

/// state.json.
struct RunRecord {
  std::string state{};       ///< "running", "interrupted", "failed" or "done"
  std::string experiment{};  ///< the hash of its experiment, see experiment_hash
};

/// Nothing where `folder` is not that of a run.
std::optional<RunRecord> run_record(const std::string& folder);

/// Where the runs of an experiment file lie: "runs/<name of the file without .toml>" in the current folder.
std::string runs_of(const std::string& experiment_file);

/// The newest unfinished run of the experiment with this hash: in `out` if given, else in a folder of runs_of().
/// Nothing without one; then `others` (if given) gets a line for each run that was seen, with why it is not the one.
std::optional<std::string> unfinished_run(const std::string& out, const std::string& experiment_file,
                                          const std::string& hash, std::string* others = nullptr);

/// The [numerics] that a run was begun with; nothing where it was stopped before it had chosen them.
std::optional<NumericsSettings> recorded_numerics(const std::string& folder);

}  // namespace kdhost
