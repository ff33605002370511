// SPDX-License-Identifier: MIT
// The conditions under which a run's bits were made: LibTorch, processor, threads, routes, plugins. Recorded in the
// manifest and compared on resume.
#pragma once

#include <string>
#include <vector>

#include "config/experiment.hpp"
#include "plugin/registry.hpp"
#include "train/assembly.hpp"

namespace kdhost {

/// "~/.cache/kdhost", or under $XDG_CACHE_HOME.
std::string cache_folder();

/// One line each: LibTorch, processor capability, device, threads, matrix route, teacher chunk, plugins with hashes.
std::string environment_text(const Experiment& pinned, at::Device device, const Maker& maker);

/// What decides bits before a run has chosen its routes: LibTorch, processor, and the plugins that `experiment` uses.
std::string environment_key(const Experiment& experiment, Registry& registry);

/// manifest.json: versions, machine, environment, hashes of plugins, data and teachers.
std::string manifest_json(const Experiment& pinned, Assembly& assembly, const std::string& experiment_hash);

}  // namespace kdhost
