// SPDX-License-Identifier: MIT
// The comparison of runs, see comparison.hpp.
#include "report/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "report/summary.hpp"
#include "report/text_table.hpp"

namespace kdhost {
namespace {

using Json = nlohmann::ordered_json;

std::optional<Spread> number(const std::optional<ArmSummary>& arm, std::optional<Spread> ArmSummary::*member) {
  return arm ? (*arm).*member : std::nullopt;
}

std::size_t seeds_of(const RunSummary& summary) { return summary.distilled ? summary.distilled->seeds : 0; }

double seconds_of(const RunSummary& summary) {
  return (summary.alone ? summary.alone->seconds : 0.0) + (summary.distilled ? summary.distilled->seconds : 0.0);
}

std::string split_of(const RunSummary& summary) { return summary.on_test ? "test" : "validation"; }

Cells cells(const std::vector<RunResult>& runs) {
  std::vector<RunSummary> summaries;
  for (const RunResult& run : runs) summaries.push_back(summarize(run));
  // One metric of one split in all rows stands in the heading, otherwise each row names its own.
  const auto kind = [&](std::size_t i) { return split_of(summaries[i]) + " " + heading_of(runs[i].metric); };
  bool same = true;
  for (std::size_t i = 1; i < runs.size(); ++i) same = same && kind(i) == kind(0);

  Cells rows;
  std::vector<std::string>& head = rows.emplace_back();
  head = {"run"};
  if (!same) head.emplace_back("metric");
  const std::string what = same && !runs.empty() ? ", " + kind(0) : "";
  head.insert(head.end(), {"seeds", "student alone" + what, "student distilled", "gain (95 % interval)", "NLL",
                           "agreement", "training time"});
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunSummary& s = summaries[i];
    const std::string& metric = runs[i].metric;
    std::string gain = kNothing;
    if (s.gain) {
      gain = signed_text(metric, s.gain->mean);
      if (s.gain->interval)
        gain += " (" + signed_text(metric, s.gain->interval->low) + " … " +
                signed_text(metric, s.gain->interval->high) + ")";
    }
    const std::optional<Spread> nll = number(s.distilled, &ArmSummary::nll);
    const std::optional<Spread> agreement = number(s.distilled, &ArmSummary::agreement);
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(printable(runs[i].title));
    if (!same) row.push_back(kind(i));
    row.push_back(std::to_string(seeds_of(s)));
    row.push_back(spread_text(metric, number(s.alone, &ArmSummary::metric)));
    row.push_back(spread_text(metric, number(s.distilled, &ArmSummary::metric)));
    row.push_back(gain);
    row.push_back(nll ? metric_text("nll", nll->mean) : kNothing);
    row.push_back(agreement ? metric_text("agreement", agreement->mean) + " %" : kNothing);
    row.push_back(duration_text(seconds_of(s)));
  }
  return rows;
}

// Numbers that are not finite have no place in JSON.
Json finite(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json centre(const std::optional<Spread>& spread) { return spread ? finite(spread->mean) : Json(); }

Json deviation(const std::optional<Spread>& spread) {
  return spread && spread->deviation ? finite(*spread->deviation) : Json();
}

// The columns of CSV and JSON, in order.
Json values(const RunResult& run) {
  const RunSummary s = summarize(run);
  const std::optional<Spread> alone = number(s.alone, &ArmSummary::metric);
  const std::optional<Spread> distilled = number(s.distilled, &ArmSummary::metric);
  Json j;
  j["title"] = run.title;
  j["folder"] = run.folder;
  j["split"] = split_of(s);
  j["metric"] = run.metric;
  j["seeds"] = seeds_of(s);
  j["alone_mean"] = centre(alone);
  j["alone_std"] = deviation(alone);
  j["distilled_mean"] = centre(distilled);
  j["distilled_std"] = deviation(distilled);
  for (const char* name : {"gain_mean", "gain_low", "gain_high"}) j[name] = nullptr;
  if (s.gain) {
    j["gain_mean"] = finite(s.gain->mean);
    if (s.gain->interval) {
      j["gain_low"] = finite(s.gain->interval->low);
      j["gain_high"] = finite(s.gain->interval->high);
    }
  }
  j["nll"] = centre(number(s.distilled, &ArmSummary::nll));
  j["agreement"] = centre(number(s.distilled, &ArmSummary::agreement));
  j["training_seconds"] = seconds_of(s);
  return j;
}

std::string plain(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  return value.is_number_float() ? shortest(value.get<double>()) : value.dump();
}

}  // namespace

std::string comparison_text(const std::vector<RunResult>& runs) { return aligned(cells(runs)); }

std::string comparison_markdown(const std::vector<RunResult>& runs) { return markdown(cells(runs)); }

std::string comparison_csv(const std::vector<RunResult>& runs) {
  Cells rows;
  for (const RunResult& run : runs) {
    const Json fields = values(run);
    if (rows.empty()) {
      rows.emplace_back();
      for (const auto& [name, value] : fields.items()) rows.back().push_back(name);
    }
    rows.emplace_back();
    for (const auto& [name, value] : fields.items()) rows.back().push_back(plain(value));
  }
  return csv(rows);
}

std::string comparison_json(const std::vector<RunResult>& runs) {
  Json list = Json::array();
  for (const RunResult& run : runs) list.push_back(values(run));
  return list.dump(2) + "\n";
}

}  // namespace kdhost
