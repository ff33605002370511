// SPDX-License-Identifier: MIT
// A whole run: every seed, distilled and baseline, in one folder that can be resumed. What `kdhost run` does.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "config/experiment.hpp"
#include "plugin/registry.hpp"
#include "train/assembly.hpp"
#include "train/results.hpp"

namespace kdhost {

/// A checked experiment with the files of its teachers (by teacher name), each checked the same way.
struct RunInput {
  Experiment experiment;
  std::shared_ptr<Registry> registry;
  std::map<std::string, std::shared_ptr<RunInput>> teacher_files;
};

struct RunOptions {
  std::string out;             ///< folder of the run itself; empty: runs/<experiment>/<time>-<hash>
  bool resume = false;         ///< go on with the newest unfinished run of the same resolved file
  bool allow_changes = false;  ///< though LibTorch, threads or plugins are not those of its checkpoint
  std::string launch;          ///< how threads were chosen, for the plan
};

/// Trains everything and returns what came out; summary.json is written. Errors: see reliability in host/README.md;
/// after any of them the folder can be resumed.
RunResult run_experiment(RunInput& input, const RunOptions& options);

/// Everything but the training: models, weights, one dry batch. Throws what a run would refuse; returns its plan and
/// notes.
std::vector<std::string> check_run(RunInput& input);

/// The assembly of an experiment or run outside training (inspect, eval): teachers that `from` names are taken from the
/// user's cache if they have been trained, otherwise they have their initial weights.
std::unique_ptr<Assembly> assemble(RunInput& input);

/// Brings the trained teacher of `from`: from the user's cache, or trained now. Error: that of the teacher's run.
TeacherFromFile trained_teacher(RunInput& teacher_file, const Teacher& teacher, bool may_train);

/// JSON of results and back: summary.json.
std::string to_json(const RunResult& result);
RunResult run_result_from_json(const std::string& text, const std::string& path);

}  // namespace kdhost
