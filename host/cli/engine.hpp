// SPDX-License-Identifier: MIT
// The commands that compute, one function each; kdhost-engine's main dispatches to them. Each prints its result to
// standard output and throws Error for everything that goes wrong.
#pragma once

#include <string>

#include "cli/experiment_input.hpp"
#include "cli/options.hpp"
#include "train/run.hpp"

namespace kdhost {

/// What this program offers to plugins: LibTorch is in the process, so exact ones can be opened.
HostAbi engine_abi();
/// The same for commands that use plugins: one that was never used before is tried in a process of its own first,
/// unless
/// --trust says not to. Asked for before the program computes, since the trial forks.
HostAbi engine_host(const Options& options);

/// Reads and checks an experiment as a run wants it.
RunInput read_run_input(const std::string& file, const Options& options);

/// kdhost run: trains what one file says and prints the closing table.
void run_file(const Options& options, const std::string& file);
/// kdhost check FILE: everything but the training.
void check_file(const Options& options);
/// kdhost check PLUGIN.so: the validator. Returns the exit code, 0 or 5.
int check_plugin_file(const Options& options);
/// kdhost inspect FILE: taps of student and teachers side by side.
void inspect_file(const Options& options);
/// kdhost loss ID: one loss on tensors of a file.
void evaluate_loss(const Options& options);
/// kdhost eval RUN|FILE: metrics of trained weights on the test or validation split.
void evaluate(const Options& options);
/// kdhost compare RUN...: one table of several runs.
void compare_runs(const Options& options);
/// kdhost export RUN: the student alone, as safetensors or TorchScript.
void export_student(const Options& options);

}  // namespace kdhost
