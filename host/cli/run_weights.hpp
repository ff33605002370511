// SPDX-License-Identifier: MIT
// The students that a run has trained, as files: what `kdhost eval` and `kdhost export` start from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/options.hpp"

namespace kdhost {

/// The weights of one trained student.
struct TrainedStudent {
  std::int64_t seed = 0;
  bool baseline = false;
  std::string file;
};

/// The finished students of a run folder: seeds ascending, distilled before baseline; only those of `--seed` if given.
/// Errors (data): no run folder; no student finished, or not that seed's.
std::vector<TrainedStudent> trained_students(const std::string& run, const Options& options);

/// What is wrong with a folder from which results were expected: absent, no run, or a run that is not finished.
Message no_results(const std::string& folder);

}  // namespace kdhost
