// SPDX-License-Identifier: MIT
// kdhost check PLUGIN.so: runs the validator and prints what it found, line by line as it goes, or as JSON at the end.
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "check/suite.hpp"
#include "cli/engine.hpp"
#include "train/assembly.hpp"

namespace kdhost {
namespace {

using check::Outcome;
using check::Verdict;
using Json = nlohmann::ordered_json;

// "name 1.0.0, portable, 3 components"; nothing where the record cannot be read, which the first test says.
std::string plugin_words(const std::filesystem::path& file) {
  try {
    const Record record = read_record(file);
    const std::size_t n = record.components.size();
    std::string text = record.name + " " + record.version + ", " + tier_name(record.tier);
    if (record.lists_components) text += ", " + std::to_string(n) + (n == 1 ? " component" : " components");
    return text;
  } catch (const Error&) {
    return {};
  }
}

// What is skipped for want of something else that is told, or of a GPU, is only counted.
bool worth_a_line(const Outcome& outcome) {
  if (outcome.finding.verdict == Verdict::skip) return outcome.test == "life.defaults";
  return outcome.finding.verdict != Verdict::pass;
}

void print_outcome(const Outcome& outcome, bool verbose) {
  if (!verbose && !worth_a_line(outcome)) return;
  std::cout << padded(check::verdict_word(outcome.finding.verdict), 8) << outcome.test;
  if (!outcome.component.empty()) std::cout << " (" << outcome.component << ")";
  if (!outcome.finding.what.empty()) std::cout << ": " << printable(outcome.finding.what, 2000);
  std::cout << "\n";
  if (!outcome.finding.mend.empty()) std::cout << "        " << printable(outcome.finding.mend, 2000) << "\n";
  if (check::is_bad(outcome.finding.verdict)) {
    // The beginning is enough to see what it is.
    std::string rest = outcome.output.substr(0, 1000);
    while (!rest.empty()) {
      const std::string line = rest.substr(0, rest.find('\n'));
      rest.erase(0, line.size() + 1);
      std::cout << "        | " << printable(line, 200) << "\n";
    }
  }
  std::cout.flush();
}

std::string count_words(const check::Report& report) {
  std::vector<std::string> parts;
  const auto add = [&](Verdict verdict, const std::string& word) {
    if (const std::size_t n = report.count(verdict); n > 0) parts.push_back(std::to_string(n) + " " + word);
  };
  add(Verdict::pass, "passed");
  add(Verdict::fail, "failed");
  add(Verdict::crash, "crashed");
  add(Verdict::timeout, "timed out");
  add(Verdict::warn, report.count(Verdict::warn) == 1 ? "warning" : "warnings");
  add(Verdict::skip, "skipped");
  return parts.empty() ? "no test was chosen" : join(parts);
}

Json report_json(const check::Request& request, const check::Report& report) {
  Json out{{"file", request.settings.file.string()},
           {"ok", report.good()},
           {"level", request.level},
           {"seed", request.settings.seed},
           {"seconds", report.seconds}};
  Json counts = Json::object();
  for (const Verdict v :
       {Verdict::pass, Verdict::skip, Verdict::warn, Verdict::fail, Verdict::crash, Verdict::timeout}) {
    counts[check::verdict_word(v)] = report.count(v);
  }
  out["counts"] = std::move(counts);
  out["tests"] = Json::array();
  for (const Outcome& outcome : report.outcomes) {
    Json test{{"level", outcome.level}, {"test", outcome.test}};
    if (!outcome.component.empty()) test["component"] = outcome.component;
    test["verdict"] = check::verdict_word(outcome.finding.verdict);
    if (!outcome.finding.what.empty()) test["what"] = outcome.finding.what;
    if (!outcome.finding.mend.empty()) test["mend"] = outcome.finding.mend;
    test["seconds"] = outcome.seconds;
    if (!outcome.output.empty()) test["output"] = outcome.output;
    out["tests"].push_back(std::move(test));
  }
  return out;
}

// --set example.rings.samples=10: a parameter of one component.
std::map<std::string, Value> parameters_of(const Options& options, const std::filesystem::path& file) {
  std::map<std::string, Value> parameters;
  const Value given = loss_parameters(options);
  for (const Entry& entry : given.table()) {
    const std::size_t dot = entry.key.rfind('.');
    const std::string id = entry.key.substr(0, dot == std::string::npos ? 0 : dot);
    if (read_record(file).component(id) == nullptr) {
      throw Error(Exit::usage, Message{.where = "kdhost check",
                                       .what = "--set " + printable(entry.key) + " names no component of the plugin.",
                                       .expected = "Expected COMPONENT.PARAMETER=VALUE, as example.rings.samples=10."});
    }
    parameters[id].set(entry.key.substr(dot + 1), entry.value, entry.key_place);
  }
  return parameters;
}

}  // namespace

int check_plugin_file(const Options& options) {
  check::Request request;
  request.settings.file = options.arguments.front();
  request.settings.host = engine_abi();
  request.settings.seed = static_cast<std::uint64_t>(options.seed.value_or(0));
  request.settings.reproduce = options.reproduce;
  request.settings.parameters = parameters_of(options, request.settings.file);
  request.settings.data_places = data_places();
  request.settings.program = std::filesystem::read_symlink("/proc/self/exe");
  // One case of level 9 is asked for by its seed.
  request.level = options.level.value_or(options.reproduce ? 9 : check::kUsualLevel);
  request.only = options.only;
  request.skip = options.skip;
  request.in_process = options.in_process;
  if (options.limit_seconds) request.limit = *options.limit_seconds;

  if (options.json) {
    const check::Report report = check::check_plugin(request);
    // What a plugin wrote may hold bytes that are not UTF-8.
    std::cout << report_json(request, report).dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return report.good() ? 0 : static_cast<int>(Exit::plugin);
  }
  const std::string file = printable(request.settings.file.string(), 4096);
  const std::string words = plugin_words(request.settings.file);
  std::cout << file << (words.empty() ? "" : ": " + words) << "\n";
  const check::Report report =
      check::check_plugin(request, [&](const Outcome& outcome) { print_outcome(outcome, options.verbose); });
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.1f", report.seconds);
  std::cout << count_words(report) << ", up to level " << request.level << ", in " << seconds << " s.\n";
  return report.good() ? 0 : static_cast<int>(Exit::plugin);
}

}  // namespace kdhost
