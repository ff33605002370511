// SPDX-License-Identifier: MIT
// The legs of a run boiled down: each arm's numbers over its seeds, and the gain in pairs of equal seed. What the
// closing table and the comparison of runs show.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "report/statistics.hpp"
#include "train/results.hpp"

namespace kdhost {

/// One number over the seeds that have it.
struct Spread {
  double mean = 0.0;
  std::optional<double> deviation{};  ///< sample standard deviation; one seed has none
  std::size_t seeds = 0;
};

/// One arm: the student alone, or distilled.
struct ArmSummary {
  std::size_t seeds = 0;
  std::optional<Spread> metric{};  ///< the run's first metric
  std::optional<Spread> nll{};
  std::optional<Spread> agreement{};
  double seconds = 0.0;  ///< of training, all seeds
};

/// Distilled against alone, seed by seed; positive is better whatever the metric's direction.
struct Gain {
  double mean = 0.0;
  std::size_t seeds = 0;
  std::optional<Interval> interval{};
};

/// Which weights of each leg are summarised.
enum class LegWeights { best, last };

struct RunSummary {
  std::optional<ArmSummary> alone{};
  std::optional<ArmSummary> distilled{};
  std::optional<Gain> gain{};
  bool on_test = true;  ///< false: the data have no test split and the numbers are of the validation split
};

RunSummary summarize(const RunResult& result, LegWeights weights = LegWeights::best);

/// True for metrics that are fractions and shown in percent: accuracy and its relatives.
bool is_fraction(const std::string& metric);
/// A metric's name as a heading: "accuracy %", "NLL".
std::string heading_of(const std::string& metric);
/// A metric's value as tables show it: "88.13" (percent), "0.342".
std::string metric_text(const std::string& metric, double value);
/// "88.13 ± 0.12", without the spread where there is one seed; "–" where there is nothing.
std::string spread_text(const std::string& metric, const std::optional<Spread>& spread);
/// "+7.70".
std::string signed_text(const std::string& metric, double value);
/// "+7.70 (5 seeds, 95 % interval +7.31 … +8.09)"; "–" where there is nothing.
std::string gain_text(const std::string& metric, const std::optional<Gain>& gain);
/// "0.20 M" or "61,706".
std::string count_text(std::int64_t count);
/// "0.21 ms".
std::string latency_text(double milliseconds);
/// "42 s", "12 min", "3.1 h".
std::string duration_text(double seconds);

/// Stands for a number that there is not.
inline constexpr const char* kNothing = "–";

}  // namespace kdhost
