// SPDX-License-Identifier: MIT
// The commands that the thin program answers by itself, and the hand-over to the engine for the others. None of it
// sees LibTorch: an answer takes milliseconds.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "plugin/registry.hpp"

namespace kdhost {

/// The folder of the running program.
std::filesystem::path program_folder();

/// What the thin program knows of the engine's LibTorch without having one: enough to refuse, not to open.
HostAbi front_abi();

/// The same for a command that the engine will answer: it goes by records alone, so that no plugin's code runs twice.
HostAbi reader_abi();

/// Where a command finds plugins: those of the experiment if there is one, --plugin-dir, KDHOST_PLUGIN_PATH, the
/// program's folder. Throws for a --plugin-dir that does not exist.
std::vector<SearchPlace> plugin_places(const Options& options, const Experiment* experiment = nullptr);

/// True where the argument of `check` is a plugin and not an experiment: by its ending, or because it is an ELF file.
bool names_plugin(const std::string& argument);

/// kdhost plugins: every plugin file that is found, what it offers, why it is refused. To standard output.
int list_plugins(const Options& options);

/// kdhost describe ID. To standard output.
int describe_component(const Options& options);

/// kdhost schema. To standard output.
int print_schema();

/// kdhost new: writes a plugin project and prints how to go on.
int new_project(const Options& options);

/// Answers every mistake that needs no model, then becomes kdhost-engine with `arguments`. Returns only by an Error.
[[noreturn]] void compute(const Options& options, const std::vector<std::string>& arguments);

}  // namespace kdhost
