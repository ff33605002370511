// SPDX-License-Identifier: MIT
// What a run found, as plain values: made by train/run.cpp, kept in summary.json, shown by report/.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kdhost {

/// Numbers of all metrics on one set of samples, by name; a metric's own value has the last part of its id: "accuracy".
struct Evaluation {
  std::vector<std::pair<std::string, double>> numbers;
  std::optional<double> find(const std::string& name) const {
    for (const auto& [key, value] : numbers)
      if (key == name) return value;
    return {};
  }
};

/// One student: one seed, distilled or baseline.
struct LegResult {
  int64_t seed = 0;
  bool baseline = false;
  int64_t best_epoch = -1;  ///< from 0; the last one where there is no validation
  Evaluation validation_best, validation_last;
  Evaluation test_best, test_last;  ///< empty where the data have no test split
  int64_t steps = 0;
  double seconds = 0.0;  ///< of training, summed over resumed parts
};

/// A teacher, for the closing table.
struct TeacherResult {
  std::string name;
  std::string id;
  std::string origin;
  int64_t parameters = 0;
  Evaluation test;
  double latency_ms = 0.0;
  std::string label;  ///< its model in short, "mlp 800-800"
};

struct RunResult {
  std::string title;
  std::string experiment;  ///< file
  std::string folder;
  std::string metric;  ///< name of the first metric, "accuracy"
  bool higher_is_better = true;
  std::string student_id;
  int64_t student_parameters = 0;
  double student_latency_ms = 0.0;  ///< median of a forward of one sample
  std::vector<TeacherResult> teachers;
  std::vector<LegResult> legs;
  std::vector<std::string> notes;  ///< what the checks noticed
  bool has_validation = false;
  double seconds = 0.0;
  double first_step_seconds = 0.0;  ///< from the start of the process to the end of the first step it trained; 0: none
  double peak_memory_mib = 0.0;     ///< most memory of this process that was resident at once
};

}  // namespace kdhost
