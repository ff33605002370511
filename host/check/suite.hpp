// SPDX-License-Identifier: MIT
// The validator behind `kdhost check PLUGIN.so`: which tests there are, in which order and process they run, and what
// came out. One file of tests for each level.
#pragma once

#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "check/finding.hpp"
#include "check/subject.hpp"

namespace kdhost::check {

inline constexpr int kHighestLevel = 10;
/// Everything that takes seconds and needs nothing but the plugin.
inline constexpr int kUsualLevel = 7;

/// One test. A test of a component runs once for each component of its kinds.
struct Test {
  int level = 1;
  /// "loss.finite": how it is chosen with --only and --skip.
  std::string name{};
  /// Kinds of components it applies to; empty: it looks at the plugin as a whole.
  std::vector<kdh_kind> kinds{};
  /// Tests (of the plugin, or of the same component) without which it cannot mean anything.
  std::vector<std::string> needs{};
  /// The component is null for tests of the whole plugin.
  std::function<Finding(Subject&, const ComponentInfo*)> run{};
  /// Seconds it may take, as a multiple of the limit.
  double patience = 1.0;
  /// What was written while the plugin was loaded is judged, by the process that reads it.
  bool judges_output = false;
};

/// All tests in the order in which they run.
const std::vector<Test>& all_tests();

/// What the user asked for.
struct Request {
  Settings settings{};
  int level = kUsualLevel;
  /// Patterns of tests or components: "loss.*", "example.soft_kl". Empty: all.
  std::vector<std::string> only{};
  std::vector<std::string> skip{};
  /// In this process, for a debugger: no limit, no verdicts crash and timeout.
  bool in_process = false;
  /// Seconds for one test.
  double limit = 20.0;
  /// Seconds after which no further test begins.
  double budget = std::numeric_limits<double>::infinity();
};

/// What came out of one test.
struct Outcome {
  int level = 1;
  std::string test{};
  /// Empty for the plugin as a whole.
  std::string component{};
  Finding finding{};
  double seconds = 0.0;
  /// What was written meanwhile, its beginning.
  std::string output{};
};

struct Report {
  std::vector<Outcome> outcomes{};
  double seconds = 0.0;

  std::size_t count(Verdict verdict) const;
  /// Nothing failed, crashed or hung.
  bool good() const;
};

/// Runs the tests; `told` hears of each as it ends. Error (usage) for a pattern that fits no test and no component.
Report check_plugin(const Request& request, const std::function<void(const Outcome&)>& told = {});

// The tests, each group in the file of the same name.
void add_file_tests(std::vector<Test>& tests);
void add_load_tests(std::vector<Test>& tests);
void add_description_tests(std::vector<Test>& tests);
void add_life_tests(std::vector<Test>& tests);
void add_call_tests(std::vector<Test>& tests);
void add_loss_tests(std::vector<Test>& tests);
void add_model_tests(std::vector<Test>& tests);
void add_scheduler_tests(std::vector<Test>& tests);
void add_dataset_tests(std::vector<Test>& tests);
void add_batch_tests(std::vector<Test>& tests);
void add_number_tests(std::vector<Test>& tests);
void add_thread_tests(std::vector<Test>& tests);
void add_device_tests(std::vector<Test>& tests);
void add_fuzz_tests(std::vector<Test>& tests);
void add_tool_tests(std::vector<Test>& tests);

}  // namespace kdhost::check
