// SPDX-License-Identifier: MIT
// The lock file of an experiment: which plugin files, by content, its components came from when somebody was content
// with it. `kdhost check FILE.toml --lock` writes it, --locked refuses to go on with other ones. Made from records
// alone, so no code of a plugin that is not the locked one ever runs.
#pragma once

#include <string>

#include "cli/experiment_input.hpp"

namespace kdhost {

/// "dir/student.lock" of "dir/student.toml".
std::string lock_file_of(const std::string& experiment_file);

/// Writes the lock file of the experiment that was read from `file`: its components and those of its teachers' files.
/// Throws Error (exit 5 where a plugin does not list its components, exit 4 where the file cannot be written).
void write_lock(const std::string& file, const ExperimentInput& input);

/// Throws one Error (exit 5) with every plugin file that differs from the lock, or where there is no lock file.
void require_lock(const std::string& file, const ExperimentInput& input);

}  // namespace kdhost
