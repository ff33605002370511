// SPDX-License-Identifier: MIT
// What a leg needs to go on as if it had never stopped: weights, optimizer, state of terms and moving teachers as
// tensors, all counters and the validation history as metadata, in one safetensors file whose digest covers every byte.
// Sample order and random numbers are functions of (seed, step) and need no state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/distill_step.hpp"

namespace kdhost {

/// Raised when the content changes; a newer number than ours is refused, an older one is read.
inline constexpr int64_t kCheckpointFormat = 1;

/// The counters of a leg.
struct Progress {
  int64_t stage = 0;
  int64_t step = 0;             ///< optimizer steps finished in this stage
  int64_t total_steps = 0;      ///< through all stages
  std::vector<double> history;  ///< validation values of the first metric
  std::vector<int64_t> history_epoch;
  double best = 0.0;
  int64_t best_epoch = -1;
  int64_t metrics_bytes = 0;  ///< length of metrics.jsonl that belongs to this state
  double seconds = 0.0;
  std::string changes;  ///< read_checkpoint: under which other conditions it was made, where that is allowed
};

/// Which leg of which experiment, and under what conditions its bits were made. All must agree on resume.
struct LegIdentity {
  std::string experiment;  ///< hash of resolved.toml
  int64_t seed = 0;
  bool baseline = false;
  std::string environment;     ///< LibTorch, threads, routes, plugins: one line each
  bool allow_changes = false;  ///< of the environment
};

/// Error (data) when it cannot be written; the file at `path` is then the older one, whole.
void write_checkpoint(const std::string& path, const Learner& learner, const Progress& progress,
                      const LegIdentity& identity);

/// Fills `learner` (whose optimizer is that of `progress.stage`: made by `start_stage(stage)` when the stage is known).
/// Error (data): damaged, of another experiment, or made under other conditions, naming each with both values.
Progress read_checkpoint(const std::string& path, Learner& learner, const LegIdentity& identity,
                         const std::function<void(int64_t stage)>& start_stage);

}  // namespace kdhost
