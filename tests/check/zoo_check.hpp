// SPDX-License-Identifier: MIT
// What the tests of the validator share: one test on one plugin of the zoo, its outcome as text, and the promise that
// no process is left.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "check/suite.hpp"
#include "plugin/zoo_files.hpp"
#include "tensor/host_table.hpp"

namespace kdhost::test {

/// How crashes and timeouts are to be mended.
inline const std::string kRunAlone = " Run this test alone with --in-process under a debugger to see where.";
inline const std::string kFindOut =
    " Find out what it waits for: a plugin neither sleeps nor waits for input, and no loop depends on values.";

/// One case: which test of which component (empty: of the plugin) finds what.
struct Found {
  std::string plugin;
  std::string component;
  std::string test;
  std::string expected;  ///< as outcome_text() has it
};

inline check::Request request_for(const std::filesystem::path& file) {
  check::Request request;
  request.settings.file = file;
  request.settings.host.torch_fingerprint = torch_fingerprint();
  request.settings.host.can_open_exact = true;
  request.level = check::kHighestLevel;
  request.limit = 10.0;
  return request;
}

/// "fail: what. mend", without the folder of the plugin.
inline std::string outcome_text(const check::Outcome& outcome, const std::filesystem::path& file) {
  std::string text = check::verdict_word(outcome.finding.verdict) + ": " + outcome.finding.what;
  if (!outcome.finding.mend.empty()) text += " " + outcome.finding.mend;
  return replaced(text, file.parent_path().string() + "/", "");
}

/// Nothing that this process started is still there, dead or alive.
inline bool no_process_left() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

/// What the one test finds; "no such test" where it was not run.
inline std::string finding_of(const check::Request& request, const std::string& component, const std::string& test) {
  check::Request one = request;
  one.only = {test};
  if (!component.empty()) one.only.push_back(component);
  const check::Report report = check::check_plugin(one);
  for (const check::Outcome& outcome : report.outcomes) {
    if (outcome.test == test && outcome.component == component) return outcome_text(outcome, one.settings.file);
  }
  return "no such test";
}

inline std::string finding_of(const Found& c) { return finding_of(request_for(zoo(c.plugin)), c.component, c.test); }

/// The cases whose finding is another one than expected, with what was found, and a process that is left; else empty.
inline std::string differences(const std::vector<Found>& cases, double limit = 10.0) {
  std::string different;
  for (const Found& c : cases) {
    check::Request request = request_for(zoo(c.plugin));
    request.limit = limit;
    const std::string found = finding_of(request, c.component, c.test);
    if (found != c.expected)
      different += c.plugin + " " + c.component + " " + c.test + ":\n" + found + "\nnot\n" + c.expected + "\n";
  }
  return different + (no_process_left() ? "" : "a process is left\n");
}
/// The same of components of one plugin, each {name without "zoo.", test, expected}.
inline std::string differences(const std::string& plugin, const std::vector<std::array<std::string, 3>>& cases,
                               double limit = 10.0) {
  std::vector<Found> all;
  for (const auto& [name, test, expected] : cases) all.push_back({plugin, "zoo." + name, test, expected});
  return differences(all, limit);
}

}  // namespace kdhost::test
