// SPDX-License-Identifier: MIT
// From legs to numbers and from numbers to text, see summary.hpp.
#include "report/summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string_view>

#include "base/text.hpp"

namespace kdhost {
namespace {

const Evaluation& numbers_of(const LegResult& leg, LegWeights weights, bool on_test) {
  if (on_test) return weights == LegWeights::best ? leg.test_best : leg.test_last;
  return weights == LegWeights::best ? leg.validation_best : leg.validation_last;
}

std::optional<Spread> spread_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  return Spread{mean(values), standard_deviation(values), values.size()};
}

std::optional<ArmSummary> arm_of(const RunResult& result, bool baseline, LegWeights weights, bool on_test) {
  ArmSummary arm;
  const auto collect = [&](const std::string& name) {
    std::vector<double> values;
    for (const LegResult& leg : result.legs) {
      if (leg.baseline != baseline) continue;
      if (const auto value = numbers_of(leg, weights, on_test).find(name)) values.push_back(*value);
    }
    return spread_of(values);
  };
  for (const LegResult& leg : result.legs) {
    if (leg.baseline != baseline) continue;
    ++arm.seeds;
    arm.seconds += leg.seconds;
  }
  if (arm.seeds == 0) return std::nullopt;
  arm.metric = collect(result.metric);
  arm.nll = collect("nll");
  arm.agreement = collect("agreement");
  return arm;
}

std::optional<Gain> gain_of(const RunResult& result, LegWeights weights, bool on_test) {
  std::map<std::int64_t, double> alone;
  for (const LegResult& leg : result.legs) {
    if (!leg.baseline) continue;
    if (const auto value = numbers_of(leg, weights, on_test).find(result.metric)) alone[leg.seed] = *value;
  }
  std::vector<double> differences;
  for (const LegResult& leg : result.legs) {
    const auto value = numbers_of(leg, weights, on_test).find(result.metric);
    const auto partner = alone.find(leg.seed);
    if (leg.baseline || !value || partner == alone.end()) continue;
    differences.push_back(result.higher_is_better ? *value - partner->second : partner->second - *value);
  }
  if (differences.empty()) return std::nullopt;
  return Gain{mean(differences), differences.size(), interval95(differences)};
}

// Decimals of a metric's value where it is not a percentage.
int decimals(const std::string& metric) { return is_fraction(metric) ? 2 : metric == "nll" ? 3 : 4; }
double shown(const std::string& metric, double value) { return is_fraction(metric) ? 100.0 * value : value; }

}  // namespace

RunSummary summarize(const RunResult& result, LegWeights weights) {
  RunSummary summary;
  summary.on_test = std::any_of(result.legs.begin(), result.legs.end(),
                                [](const LegResult& leg) { return !leg.test_best.numbers.empty(); }) ||
                    !result.has_validation;
  summary.alone = arm_of(result, true, weights, summary.on_test);
  summary.distilled = arm_of(result, false, weights, summary.on_test);
  summary.gain = gain_of(result, weights, summary.on_test);
  return summary;
}

bool is_fraction(const std::string& metric) {
  constexpr std::array<std::string_view, 8> kFractions = {"accuracy", "agreement", "confusion_matrix", "ece",
                                                          "f1",       "precision", "recall",           "top_k"};
  return std::find(kFractions.begin(), kFractions.end(), metric) != kFractions.end();
}

std::string heading_of(const std::string& metric) {
  constexpr std::array<std::string_view, 3> kAbbreviations = {"ece", "f1", "nll"};
  std::string text = metric;
  if (std::find(kAbbreviations.begin(), kAbbreviations.end(), metric) != kAbbreviations.end())
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return is_fraction(metric) ? text + " %" : text;
}

std::string metric_text(const std::string& metric, double value) {
  return fixed(shown(metric, value), decimals(metric));
}

std::string spread_text(const std::string& metric, const std::optional<Spread>& spread) {
  if (!spread) return kNothing;
  std::string text = metric_text(metric, spread->mean);
  if (spread->deviation) text += " ± " + metric_text(metric, *spread->deviation);
  return text;
}

std::string signed_text(const std::string& metric, double value) {
  const std::string text = metric_text(metric, std::abs(value));
  if (text.find_first_not_of("0.") == std::string::npos) return text;  // no sign on what is shown as zero
  return (std::signbit(value) ? "-" : "+") + text;
}

std::string gain_text(const std::string& metric, const std::optional<Gain>& gain) {
  if (!gain) return kNothing;
  std::string text = signed_text(metric, gain->mean);
  if (!gain->interval) return text + " (1 seed, no interval)";
  return text + " (" + std::to_string(gain->seeds) + " seeds, 95 % interval " +
         signed_text(metric, gain->interval->low) + " … " + signed_text(metric, gain->interval->high) + ")";
}

std::string count_text(std::int64_t count) {
  return count >= 100'000 ? fixed(static_cast<double>(count) * 1e-6, 2) + " M" : with_commas(count);
}

std::string latency_text(double milliseconds) { return fixed(milliseconds, milliseconds < 0.1 ? 3 : 2) + " ms"; }

std::string duration_text(double seconds) {
  if (seconds < 120.0) return fixed(seconds, seconds < 10.0 ? 1 : 0) + " s";
  return seconds < 2.0 * 3600.0 ? fixed(seconds / 60.0, 0) + " min" : fixed(seconds / 3600.0, 1) + " h";
}

}  // namespace kdhost
