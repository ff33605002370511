// SPDX-License-Identifier: MIT
// Level 2 of the validator: the plugin is loaded, and leaves the process as it was.
#include <thread>

#include "base/text.hpp"
#include "check/child.hpp"
#include "check/suite.hpp"
#include "plugin/description.hpp"

namespace kdhost::check {
namespace {

constexpr double kMostMilliseconds = 100.0;

Finding test_bound(Subject& subject, const ComponentInfo*) {
  const Loading& l = subject.loading();
  if (!l.thrown_early.empty()) {
    return failed("threw an exception while it was loaded: " + printable(l.thrown_early, 1000) + ".",
                  "Let static initialisers do nothing that can fail; work in create.");
  }
  if (!l.refusal.empty()) {
    return failed("cannot be loaded: " + printable(l.refusal, 1000) + ".",
                  "Link what is missing; kdhost_add_plugin finds missing symbols when it links.");
  }
  if (!l.has_entry) {
    return failed("does not export the function " KDH_ENTRY_SYMBOL ".",
                  "End one of its sources with KDHOST_PLUGIN(...) and build it with kdhost_add_plugin.");
  }
  return passed();
}

Finding test_quick(Subject& subject, const ComponentInfo*) {
  const double took = subject.loading().milliseconds;
  if (took <= kMostMilliseconds) return passed();
  return failed("took " + std::to_string(static_cast<long>(took)) + " ms to load, expected at most " +
                    shortest(kMostMilliseconds) + " ms.",
                "Move work out of static initialisers, into create or the first call.");
}

Finding test_output(Subject& subject, const ComponentInfo*) {
  subject.loading();
  return passed();
}

Finding test_threads(Subject& subject, const ComponentInfo*) {
  const Loading& l = subject.loading();
  if (l.after.threads == l.before.threads) return passed();
  return failed(
      "had " + std::to_string(l.after.threads - l.before.threads) + " more threads running after it was loaded.",
      "Start no thread while loading; the host has threads (parallel_for).");
}

Finding test_processes(Subject& subject, const ComponentInfo*) {
  const Loading& l = subject.loading();
  if (l.after.has_children == l.before.has_children) return passed();
  return failed("started a process while it was loaded.", "A plugin starts no processes.");
}

Finding test_signals(Subject& subject, const ComponentInfo*) {
  const Loading& l = subject.loading();
  const std::vector<std::string> changes = changed_signals(l.before, l.after);
  if (changes.empty()) return passed();
  return failed("changed what signals do while it was loaded: " + join(changes) + ".",
                "Signals belong to the host: install no handlers and block none.");
}

Finding test_descriptors(Subject& subject, const ComponentInfo*) {
  const Loading& l = subject.loading();
  const std::vector<std::string> changes = changed_descriptors(l.before, l.after);
  if (changes.empty()) return passed();
  return failed("changed open files of the process while it was loaded: descriptor " + join(changes) + ".",
                "Leave standard input, output and error alone, and open files in create.");
}

Finding test_settings(Subject& subject, const ComponentInfo*) {
  const Loading& l = subject.loading();
  const std::vector<std::string> changes = changed_settings(l.before, l.after);
  if (changes.empty()) return passed();
  return failed(
      "changed the process while it was loaded: " + join(changes, "; ") + ".",
      "Leave settings of the process to the host; what a component needs is set and restored within one call.");
}

// What a query gives, as text; its own failures are sentences.
std::string queried(Subject& subject, std::uint32_t minor, std::string& fault) {
  const Loading& l = subject.loading();
  note_activity("the function " KDH_ENTRY_SYMBOL);
  try {
    const kdh_plugin* description = l.query(KDH_ABI_MAJOR, minor);
    if (description == nullptr) {
      fault = "gave no description of itself (" KDH_ENTRY_SYMBOL " returned null)";
      return {};
    }
    return description_text(read_description(*description, subject.file(), KDH_ABI_MINOR));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& thrown) {
    fault = "threw an exception from " KDH_ENTRY_SYMBOL ": " + printable(thrown.what(), 1000);
  } catch (...) {
    fault = "threw an exception of unknown type from " KDH_ENTRY_SYMBOL;
  }
  return {};
}

constexpr const char* kMendQuery = "Return one static description, made without conditions, as KDHOST_PLUGIN does.";

Finding test_query(Subject& subject, const ComponentInfo*) {
  const Loading& l = subject.loading();
  if (!l.thrown.empty()) {
    return failed("threw an exception from " KDH_ENTRY_SYMBOL ": " + printable(l.thrown, 1000) + ".", kMendQuery);
  }
  if (l.description == nullptr) {
    return failed("gave no description of itself (" KDH_ENTRY_SYMBOL " returned null).", kMendQuery);
  }
  return passed();
}

Finding test_description(Subject& subject, const ComponentInfo*) {
  note_activity("the reading of its description");
  read_description(*subject.loading().description, subject.file(), subject.settings().host.minor);
  return passed();
}

Finding test_query_again(Subject& subject, const ComponentInfo*) {
  std::string fault;
  // What was said first of all, when the plugin was loaded.
  const std::string first =
      description_text(read_description(*subject.loading().description, subject.file(), KDH_ABI_MINOR));
  const std::string second = queried(subject, KDH_ABI_MINOR, fault);
  std::string left;
  std::string right;
  std::string fault_left;
  std::string fault_right;
  const auto from = [&](std::string& text, std::string& fault_there) {
    return std::thread([&] {
      try {
        text = queried(subject, KDH_ABI_MINOR, fault_there);
      } catch (const Error& error) {
        fault_there = error.messages().front().what;
      }
    });
  };
  std::thread a = from(left, fault_left);
  std::thread b = from(right, fault_right);
  a.join();
  b.join();
  for (const std::string& f : {fault, fault_left, fault_right}) {
    if (!f.empty()) return failed(f + ", when it was asked again.", kMendQuery);
  }
  if (first == second && first == left && first == right) return passed();
  return failed(std::string("describes itself differently when it is asked again") +
                    (first == second ? " from another thread." : "."),
                kMendQuery);
}

Finding test_newer_host(Subject& subject, const ComponentInfo*) {
  std::string fault;
  const std::string now = queried(subject, KDH_ABI_MINOR, fault);
  const std::string newer = queried(subject, KDH_ABI_MINOR + 1, fault);
  const std::string mend = "Compare only the major number with KDH_ABI_MAJOR; a newer minor only adds.";
  const std::string host = "a host of ABI " + std::to_string(KDH_ABI_MAJOR) + "." + std::to_string(KDH_ABI_MINOR + 1);
  if (!fault.empty()) return failed(fault + ", when " + host + " asked.", mend);
  if (now == newer) return passed();
  return failed("describes itself differently to " + host + ".", mend);
}

Finding test_agrees(Subject& subject, const ComponentInfo*) {
  const Record live = read_description(*subject.loading().description, subject.file(), KDH_ABI_MINOR);
  compare_with_record(live, subject.record(), subject.file());
  return passed();
}

}  // namespace

void add_load_tests(std::vector<Test>& tests) {
  const std::vector<std::string> loads{"load.bound"};
  const std::vector<std::string> answers{"load.bound", "load.query", "load.description"};
  tests.push_back({.level = 2, .name = "load.bound", .needs = {"file.record", "file.accepted"}, .run = test_bound});
  tests.push_back({.level = 2, .name = "load.quick", .needs = loads, .run = test_quick});
  tests.push_back({.level = 2, .name = "load.output", .needs = loads, .run = test_output, .judges_output = true});
  tests.push_back({.level = 2, .name = "load.threads", .needs = loads, .run = test_threads});
  tests.push_back({.level = 2, .name = "load.processes", .needs = loads, .run = test_processes});
  tests.push_back({.level = 2, .name = "load.signals", .needs = loads, .run = test_signals});
  tests.push_back({.level = 2, .name = "load.descriptors", .needs = loads, .run = test_descriptors});
  tests.push_back({.level = 2, .name = "load.settings", .needs = loads, .run = test_settings});
  tests.push_back({.level = 2, .name = "load.query", .needs = loads, .run = test_query});
  tests.push_back(
      {.level = 2, .name = "load.description", .needs = {"load.bound", "load.query"}, .run = test_description});
  tests.push_back({.level = 2, .name = "load.query_again", .needs = answers, .run = test_query_again});
  tests.push_back({.level = 2, .name = "load.newer_host", .needs = answers, .run = test_newer_host});
  tests.push_back({.level = 2, .name = "load.agrees", .needs = answers, .run = test_agrees});
}

}  // namespace kdhost::check
