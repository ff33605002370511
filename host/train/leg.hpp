// SPDX-License-Identifier: MIT
// One training of one student: a seed, distilled or baseline. The loop over stages and steps, validation at epoch ends,
// the best and the last weights, checkpoints.
#pragma once

#include <optional>
#include <string>

#include "train/checkpoint.hpp"
#include "train/evaluation.hpp"
#include "train/metrics_log.hpp"

namespace kdhost {

/// What a leg shares with the others of its run.
struct LegContext {
  Assembly& assembly;
  TeacherOutputs& teachers;
  EvaluationSet& validation;
  EvaluationSet& test;
  MetricsLog& log;
  std::string experiment_hash;
  std::string environment;
  int64_t chunk = 1;
  std::string phase;           ///< "2/6": which of how many legs, for the progress line
  bool allow_changes = false;  ///< a checkpoint made under other conditions is taken
};

class Leg {
 public:
  /// `folder` exists; it gets last.ckpt, best.ckpt, and at the end student.safetensors (best) and last.safetensors.
  Leg(LegContext context, Arm& arm, int64_t seed, std::string folder);

  /// Trains to the end, from last.ckpt where there is one. Error (interrupted) after a signal, with a checkpoint saved;
  /// Error (diverged) when numbers stop being finite.
  LegResult run();

  /// From the start of the process to the end of this leg's first step in it; 0 before that. On a GPU the step may
  /// still run.
  double first_step_seconds() const { return first_step_seconds_; }

 private:
  void start_stage(int64_t stage);
  void train_stage();
  void take_step();
  void end_epoch();
  void save();
  /// Reads from the device which step and term it was. Error (diverged).
  [[noreturn]] void refuse_nonfinite(const StagePlan& plan) const;
  void log_step(const StepReport& report, double seconds);
  void check_teachers();
  std::string progress_text(const StepReport* report) const;
  kdh_moment moment() const;
  std::string arm_name() const { return arm_.baseline ? "baseline" : "distilled"; }
  std::string words() const;
  std::string file(const char* name) const { return folder_ + "/" + name; }

  LegContext context_;
  Assembly& assembly_;
  Arm& arm_;
  int64_t seed_;
  std::string folder_;
  int64_t epoch_steps_;  ///< of the distilled arm: both arms are judged equally often
  Learner learner_;
  Feed feed_;
  DistillStep step_;
  Progress progress_;
  LegIdentity identity_;
  std::optional<Parts> best_;
  bool best_written_ = true;
  Evaluation last_validation_, best_validation_;
  at::Tensor nonfinite_;
  /// CUDA: step and values of the terms since the last log line, which nobody has read from the device yet.
  std::vector<std::pair<int64_t, std::vector<at::Tensor>>> unread_;
  double saved_at_ = 0.0, shown_at_ = 0.0, started_ = 0.0;
  double first_step_seconds_ = 0.0;
  int64_t started_step_ = 0;
};

/// Seconds of a clock that only goes forward.
double now_seconds();

}  // namespace kdhost
