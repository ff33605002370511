// SPDX-License-Identifier: MIT
// The tables of `kdhost eval`; see eval_tables.hpp.
#include "cli/eval_tables.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "report/summary.hpp"

namespace kdhost {
namespace {

/// With more classes only the counts of each class fit on a line.
constexpr std::size_t kMostColumns = 20;

constexpr std::string_view kLabel = ".label_";
constexpr std::string_view kPredicted = ".predicted_";

/// Samples by (label, prediction), of one metric of one model.
using Counts = std::map<std::pair<std::size_t, std::size_t>, std::int64_t>;

std::optional<std::size_t> whole(std::string_view text) {
  std::size_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The counts by metric, in the order of the numbers.
std::vector<std::pair<std::string, Counts>> class_counts(const Evaluation& evaluation) {
  std::vector<std::pair<std::string, Counts>> found;
  for (const auto& [name, value] : evaluation.numbers) {
    const std::size_t label = name.find(kLabel);
    const std::size_t predicted = name.find(kPredicted);
    if (label == std::string::npos || predicted == std::string::npos || predicted < label) continue;
    const std::string_view text = name;
    const auto row = whole(text.substr(label + kLabel.size(), predicted - label - kLabel.size()));
    const auto column = whole(text.substr(predicted + kPredicted.size()));
    if (!row || !column) continue;
    const std::string metric = name.substr(0, label);
    if (found.empty() || found.back().first != metric) found.emplace_back(metric, Counts{});
    found.back().second[{*row, *column}] = std::llround(value);
  }
  return found;
}

Cells class_table(const Counts& counts) {
  std::size_t classes = 0;
  for (const auto& [place, count] : counts) classes = std::max({classes, place.first + 1, place.second + 1});
  const bool whole_matrix = classes <= kMostColumns;
  Cells rows{{"label"}};
  for (std::size_t j = 0; whole_matrix && j < classes; ++j) rows.front().push_back(std::to_string(j));
  rows.front().insert(rows.front().end(), {"wrong", "samples"});
  std::int64_t all_wrong = 0;
  std::int64_t all = 0;
  std::vector<std::int64_t> predicted(classes, 0);
  for (std::size_t i = 0; i < classes; ++i) {
    std::vector<std::string>& row = rows.emplace_back(1, std::to_string(i));
    std::int64_t wrong = 0;
    std::int64_t samples = 0;
    for (std::size_t j = 0; j < classes; ++j) {
      const auto at = counts.find({i, j});
      const std::int64_t count = at == counts.end() ? 0 : at->second;
      if (whole_matrix) row.push_back(with_commas(count));
      predicted[j] += count;
      samples += count;
      if (i != j) wrong += count;
    }
    row.insert(row.end(), {with_commas(wrong), with_commas(samples)});
    all_wrong += wrong;
    all += samples;
  }
  std::vector<std::string>& last = rows.emplace_back(1, "all");
  for (std::size_t j = 0; whole_matrix && j < classes; ++j) last.push_back(with_commas(predicted[j]));
  last.insert(last.end(), {with_commas(all_wrong), with_commas(all)});
  return rows;
}

}  // namespace

Cells metric_table(const std::vector<Judged>& judged) {
  std::vector<std::string> metrics;
  for (const Judged& one : judged) {
    const auto tabled = class_counts(one.numbers);
    for (const auto& number : one.numbers.numbers) {
      const std::string& name = number.first;
      const bool further = name.find('.') != std::string::npos;
      const bool below = std::any_of(tabled.begin(), tabled.end(), [&](const auto& t) { return t.first == name; });
      if (further || below || std::find(metrics.begin(), metrics.end(), name) != metrics.end()) continue;
      metrics.push_back(name);
    }
  }
  Cells rows{{""}};
  for (const std::string& metric : metrics) {
    rows.front().push_back(heading_of(metric));
    if (metric == "accuracy") rows.front().emplace_back("error %");
  }
  for (const Judged& one : judged) {
    rows.push_back({one.label});
    for (const std::string& metric : metrics) {
      const auto value = one.numbers.find(metric);
      rows.back().push_back(value ? metric_text(metric, *value) : kNothing);
      if (metric == "accuracy") rows.back().push_back(value ? metric_text(metric, 1.0 - *value) : kNothing);
    }
  }
  return rows;
}

std::string class_tables(const std::vector<Judged>& judged) {
  std::string text;
  for (const Judged& one : judged) {
    for (const auto& [metric, counts] : class_counts(one.numbers)) {
      const Cells table = class_table(counts);
      const bool whole_matrix = table.front().size() > 3;
      text += "\n" + one.label + (whole_matrix ? ": labels in rows, predictions in columns" : ": errors by label") +
              "\n\n" + aligned(table);
    }
  }
  return text;
}

}  // namespace kdhost
