// SPDX-License-Identifier: MIT
// Running the tests of the validator in child processes, and turning ends of processes into findings; see suite.hpp.
#include "check/suite.hpp"

#include <fnmatch.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "check/child.hpp"

namespace kdhost::check {
namespace {

using Json = nlohmann::json;

// A request that is no test: which components there are.
constexpr const char* kListComponents = "components";
constexpr const char* kLoaded = "load.bound";

struct Offered {
  std::string id;
  kdh_kind kind;
};

bool fits(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& p) { return ::fnmatch(p.c_str(), name.c_str(), 0) == 0; });
}

// ---- in the process that tests

Finding run_guarded(const Test& test, Subject& subject, const std::string& component) {
  try {
    note_activity("the test itself");
    const ComponentInfo* info = component.empty() ? nullptr : &subject.component(component);
    return test.run(subject, info);
  } catch (const Error& error) {
    return failed(error, subject.file().string());
  } catch (const std::exception& error) {
    return failed("the test was ended by an exception: " + said(error),
                  "Run it with --in-process under a debugger to see where it comes from.");
  }
}

std::string answer_request(Subject& subject, const std::string& request) {
  Json answer;
  if (request == kListComponents) {
    answer["components"] = Json::array();
    try {
      for (const ComponentInfo& c : subject.library().record().components) {
        answer["components"].push_back({{"id", c.id}, {"kind", c.kind}});
      }
    } catch (const Error&) {
      // Then the tests of the description have said why.
    }
  } else {
    const std::size_t space = request.find(' ');
    const std::string name = request.substr(0, space);
    const bool was_loaded = subject.loaded();
    const auto test =
        std::find_if(all_tests().begin(), all_tests().end(), [&](const Test& t) { return t.name == name; });
    const Finding finding = run_guarded(*test, subject, request.substr(space + 1));
    answer = {{"verdict", verdict_word(finding.verdict)}, {"what", finding.what}, {"mend", finding.mend}};
    answer["loaded"] = !was_loaded && subject.loaded();
  }
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// ---- in the process that asks

std::string signal_text(int number) {
  const char* name = ::sigabbrev_np(number);
  return (name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(number)) + " (" +
         ::strsignal(number) + ")";
}

Finding end_of_process(const Answer& answer, double limit) {
  const std::string where = answer.activity.empty() ? "the test itself" : answer.activity;
  if (answer.end == Answer::End::timed_out) {
    return {Verdict::timeout, "did not end within " + shortest(limit) + " s, in " + where + "; the process was killed.",
            "Find out what it waits for: a plugin neither sleeps nor waits for input, and no loop depends on values."};
  }
  if (WIFSIGNALED(answer.status)) {
    return {Verdict::crash, "crashed with " + signal_text(WTERMSIG(answer.status)) + ", in " + where + ".",
            "Run this test alone with --in-process under a debugger to see where."};
  }
  return {Verdict::crash,
          "ended the process with exit code " + std::to_string(WEXITSTATUS(answer.status)) + ", in " + where + ".",
          "A plugin must not call exit; it reports an error by an exception (in C: by a status)."};
}

class Run {
 public:
  Run(const Request& request, const std::function<void(const Outcome&)>& told)
      : request_(request),
        told_(told),
        subject_(request.settings),
        child_([this](const std::string& text) { return answer_request(subject_, text); }) {}

  Report run() {
    check_patterns();
    bool listed = false;
    std::vector<Offered> components;
    // Tests of the whole plugin first: which components there are is known only when it was loaded.
    for (const Test& test : all_tests()) {
      if (test.kinds.empty() && test.level <= request_.level) run_test(test, {});
    }
    for (const Test& test : all_tests()) {
      if (test.kinds.empty() || test.level > request_.level) continue;
      if (!listed) components = list_components();
      listed = true;
      for (const Offered& c : components) {
        if (std::find(test.kinds.begin(), test.kinds.end(), c.kind) != test.kinds.end()) run_test(test, c.id);
      }
    }
    child_.stop();
    if (listed) check_component_patterns(components);
    report_.seconds = elapsed();
    return std::move(report_);
  }

 private:
  double elapsed() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

  // A pattern that can only mean a test must fit one; others may mean a component, which is known later.
  void check_patterns() const {
    for (const auto* patterns : {&request_.only, &request_.skip}) {
      for (const std::string& pattern : *patterns) {
        if (means_a_test(pattern)) continue;
        std::vector<std::string> names;
        for (const Test& test : all_tests()) names.push_back(test.name);
        const std::string near = did_you_mean(pattern, names);
        if (!near.empty()) refuse_pattern(pattern, near);
      }
    }
  }

  void check_component_patterns(const std::vector<Offered>& components) const {
    for (const auto* patterns : {&request_.only, &request_.skip}) {
      for (const std::string& pattern : *patterns) {
        const bool means_component =
            std::any_of(components.begin(), components.end(), [&](const Offered& c) { return fits({pattern}, c.id); });
        if (!means_component && !means_a_test(pattern)) refuse_pattern(pattern, {});
      }
    }
  }

  static bool means_a_test(const std::string& pattern) {
    return std::any_of(all_tests().begin(), all_tests().end(),
                       [&](const Test& test) { return fits({pattern}, test.name); });
  }

  [[noreturn]] static void refuse_pattern(const std::string& pattern, const std::string& near) {
    throw Error(Exit::usage, Message{.where = "kdhost check",
                                     .what = "no test and no component is called " + kdhost::quoted(pattern) + ".",
                                     .expected = "Expected the name of a test, of a component, or a pattern with *.",
                                     .mend = near});
  }

  bool chosen(const Test& test, const std::string& component) const {
    const auto named = [&](const std::vector<std::string>& patterns) {
      return fits(patterns, test.name) || (!component.empty() && fits(patterns, component));
    };
    if (named(request_.skip)) return false;
    if (request_.only.empty()) return true;
    // Both tests and components may be named; then both must fit.
    const auto test_named = [](const std::string& p) { return means_a_test(p); };
    std::vector<std::string> tests;
    std::vector<std::string> components;
    std::partition_copy(request_.only.begin(), request_.only.end(), std::back_inserter(tests),
                        std::back_inserter(components), test_named);
    return (tests.empty() ? !component.empty() : fits(tests, test.name)) &&
           (components.empty() || component.empty() || fits(components, component));
  }

  // Why a test cannot mean anything after what others found; nothing where it can.
  std::optional<std::string> obstacle(const Test& test, const std::string& component) const {
    for (const std::string& need : test.needs) {
      for (const std::string& whose : {component, std::string()}) {
        const auto found = verdicts_.find({need, whose});
        if (found == verdicts_.end()) continue;
        if (is_bad(found->second)) return "not run, because " + need + " did not pass.";
        if (found->second == Verdict::skip) return "not run, because " + need + " was skipped.";
      }
    }
    return std::nullopt;
  }

  void run_test(const Test& test, const std::string& component) {
    if (!chosen(test, component) || elapsed() > request_.budget) return;
    Outcome outcome{test.level, test.name, component, {}, 0.0, {}};
    if (const auto why = obstacle(test, component)) {
      outcome.finding = skipped(*why);
    } else {
      ask(test, component, outcome);
    }
    verdicts_[{test.name, component}] = outcome.finding.verdict;
    if (told_) told_(outcome);
    report_.outcomes.push_back(std::move(outcome));
  }

  void ask(const Test& test, const std::string& component, Outcome& outcome) {
    const std::string text = test.name + " " + component;
    const double limit = request_.limit * test.patience;
    const Answer answer =
        request_.in_process ? Answer{.text = answer_request(subject_, text)} : child_.ask(text, limit);
    outcome.seconds = answer.seconds;
    outcome.output = answer.output;
    if (answer.end != Answer::End::answered) {
      outcome.finding = end_of_process(answer, limit);
      return;
    }
    const Json said = Json::parse(answer.text);
    outcome.finding = {verdict_of(said.at("verdict").get<std::string>()).value_or(Verdict::fail),
                       said.at("what").get<std::string>(), said.at("mend").get<std::string>()};
    if (said.at("loaded").get<bool>()) {
      loading_output_ = answer.output;
      loading_bytes_ = answer.output_bytes;
    }
    if (test.judges_output) judge_output(outcome.finding);
    // The next test shall not suffer from what this one broke.
    if (is_bad(outcome.finding.verdict)) child_.stop();
  }

  void judge_output(Finding& finding) const {
    if (request_.in_process) {
      finding = skipped("output is seen only in a child process.");
    } else if (finding.verdict == Verdict::pass && loading_bytes_ > 0) {
      const std::string line = loading_output_.substr(0, loading_output_.find('\n'));
      finding = failed("wrote " + std::to_string(loading_bytes_) + " bytes to standard output or error while it was " +
                           "loaded: " + kdhost::quoted(line) + ".",
                       "Remove the output, or write it with the host's log when a component works.");
    }
  }

  std::vector<Offered> list_components() {
    std::vector<Offered> components;
    if (const auto loaded = verdicts_.find({kLoaded, ""}); loaded != verdicts_.end() && is_bad(loaded->second)) {
      return components;
    }
    const Answer answer = request_.in_process ? Answer{.text = answer_request(subject_, kListComponents)}
                                              : child_.ask(kListComponents, request_.limit);
    if (answer.end != Answer::End::answered) return components;
    const Json said = Json::parse(answer.text);
    for (const Json& c : said.at("components")) {
      components.push_back({c.at("id").get<std::string>(), c.at("kind").get<kdh_kind>()});
    }
    return components;
  }

  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  const Request& request_;
  const std::function<void(const Outcome&)>& told_;
  Subject subject_;
  Child child_;
  std::map<std::pair<std::string, std::string>, Verdict> verdicts_;
  Report report_;
  std::string loading_output_;
  std::uint64_t loading_bytes_ = 0;
};

}  // namespace

const std::vector<Test>& all_tests() {
  static const std::vector<Test> tests = [] {
    std::vector<Test> list;
    add_file_tests(list);
    add_load_tests(list);
    add_description_tests(list);
    add_life_tests(list);
    add_call_tests(list);
    add_loss_tests(list);
    add_model_tests(list);
    add_scheduler_tests(list);
    add_dataset_tests(list);
    add_batch_tests(list);
    add_number_tests(list);
    add_thread_tests(list);
    add_device_tests(list);
    add_fuzz_tests(list);
    add_tool_tests(list);
    return list;
  }();
  return tests;
}

std::size_t Report::count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(outcomes.begin(), outcomes.end(), [&](const Outcome& o) { return o.finding.verdict == verdict; }));
}

bool Report::good() const {
  return std::none_of(outcomes.begin(), outcomes.end(), [](const Outcome& o) { return is_bad(o.finding.verdict); });
}

Report check_plugin(const Request& request, const std::function<void(const Outcome&)>& told) {
  return Run(request, told).run();
}

}  // namespace kdhost::check
