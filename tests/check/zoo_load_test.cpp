// SPDX-License-Identifier: MIT
// Level 2 of the validator against the zoo: everything a plugin can do to the process while it is loaded.
#include "check/zoo_check.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

// Loads unruly.so, which misbehaves in the given way.
std::string loaded(const std::string& way, const std::string& test, double limit = 5.0) {
  ::setenv("KDHOST_ZOO", way.c_str(), 1);
  check::Request request = request_for(zoo("unruly"));
  request.limit = limit;
  const std::string found = finding_of(request, "", test);
  ::unsetenv("KDHOST_ZOO");
  return found;
}

const std::string kNoExit = " A plugin must not call exit; it reports an error by an exception (in C: by a status).";
const std::string kMendSettings =
    " Leave settings of the process to the host; what a component needs is set and restored within one call.";
const std::string kMendQuery = " Return one static description, made without conditions, as KDHOST_PLUGIN does.";
const std::string kMendMinor = " Compare only the major number with KDH_ABI_MAJOR; a newer minor only adds.";

}  // namespace

TEST_CASE("a whole plugin passes every test of its loading") {
  check::Request request = request_for(zoo("healthy"));
  request.level = 2;
  const check::Report report = check::check_plugin(request);
  for (const check::Outcome& outcome : report.outcomes) {
    INFO(outcome.test << ": " << outcome.finding.what);
    CHECK(outcome.finding.verdict == check::Verdict::pass);
  }
  CHECK(report.outcomes.size() == 22);
}

TEST_CASE("a static initialiser that ends the process is a crash with a name") {
  const std::string where = ", in the loading of the file (dlopen).";
  const std::string mend = " Let static initialisers do nothing that can fail; work in create.";
  CHECK(loaded("throw", "load.bound") == "fail: threw an exception while it was loaded: not today." + mend);
  CHECK(loaded("memory", "load.bound") == "fail: threw an exception while it was loaded: std::bad_alloc." + mend);
  CHECK(loaded("abort", "load.bound") == "crash: crashed with SIGABRT (Aborted)" + where + kRunAlone);
  CHECK(loaded("segfault", "load.bound") == "crash: crashed with SIGSEGV (Segmentation fault)" + where + kRunAlone);
  CHECK(loaded("exit", "load.bound") == "crash: ended the process with exit code 0" + where + kNoExit);
  CHECK(loaded("fork_and_crash", "load.bound") == "crash: crashed with SIGABRT (Aborted)" + where + kRunAlone);
  CHECK(loaded("query_crashes", "load.bound") ==
        "crash: crashed with SIGSEGV (Segmentation fault), in the function kdh_plugin_query." + kRunAlone);
  CHECK(no_process_left());
}

TEST_CASE("a plugin that hangs is ended after its limit") {
  const std::string text =
      "timeout: did not end within 0.5 s, in the loading of the file (dlopen); the process was killed." + kFindOut;
  CHECK(loaded("sleep", "load.bound", 0.5) == text);
  CHECK(loaded("spin", "load.bound", 0.5) == text);
  CHECK(no_process_left());
}

TEST_CASE("what a plugin changes while it is loaded is named") {
  CHECK(loaded("slow", "load.quick").rfind("fail: took 15", 0) == 0);
  CHECK(loaded("slow", "load.quick")
            .find(" ms to load, expected at most 100 ms. Move work out of static initialisers, "
                  "into create or the first call.") != std::string::npos);
  CHECK(loaded("thread", "load.threads") ==
        "fail: had 1 more threads running after it was loaded. Start no thread while loading; the host has threads "
        "(parallel_for).");
  for (const std::string way : {"fork", "fork_and_stay", "fork_and_leave"}) {
    INFO(way);
    CHECK(loaded(way, "load.processes") ==
          "fail: started a process while it was loaded. A plugin starts no processes.");
    CHECK(no_process_left());
  }
  CHECK(
      loaded("signal", "load.signals") ==
      "fail: changed what signals do while it was loaded: SIGINT. Signals belong to the host: install no handlers and "
      "block none.");
  CHECK(loaded("mask", "load.signals").find("the mask of blocked signals") != std::string::npos);
  CHECK(loaded("close_input", "load.descriptors") ==
        "fail: changed open files of the process while it was loaded: descriptor 0 was closed. Leave standard input, "
        "output and error alone, and open files in create.");
  CHECK(loaded("open_file", "load.descriptors").find("was opened (/dev/null)") != std::string::npos);
  CHECK(no_process_left());
}

TEST_CASE("what a plugin writes while it is loaded is quoted, and a flood does not hurt") {
  const std::string mend = " Remove the output, or write it with the host's log when a component works.";
  CHECK(loaded("print", "load.output") ==
        "fail: wrote 20 bytes to standard output or error while it was loaded: 'hello from a plugin'." + mend);
  CHECK(loaded("error_output", "load.output") ==
        "fail: wrote 22 bytes to standard output or error while it was loaded: 'warning: nobody asked'." + mend);
  CHECK(loaded("query_prints", "load.output") ==
        "fail: wrote 10 bytes to standard output or error while it was loaded: 'here I am'." + mend);
  CHECK(loaded("flood", "load.output").rfind("fail: wrote 20480000 bytes to standard output", 0) == 0);
  CHECK(no_process_left());
}

TEST_CASE("settings of LibTorch and of the process are compared") {
  const auto changed = [](const std::string& way, const std::string& what) {
    INFO(way);
    CHECK(loaded(way, "load.settings") ==
          "fail: changed the process while it was loaded: " + what + "." + kMendSettings);
  };
  changed("grad_mode", "the gradient mode is off, it was on");
  changed("default_dtype", "the default dtype is float64, it was float32");
  changed("random_state", "the state of LibTorch's random generator changed");
  changed("environment", "the environment changed");
  changed("umask", "the file mode mask is 0, it was 18");
  for (const auto& [way, what] : std::vector<std::pair<std::string, std::string>>{
           {"torch_threads", "the number of LibTorch's threads is "},
           {"locale", "the C locale is C.UTF-8, it was "},
           {"rounding", "the flushing of denormal numbers and the rounding (floating-point control) is "},
           {"folder", "the current folder is /, it was "}}) {
    INFO(way);
    CHECK(loaded(way, "load.settings").rfind("fail: changed the process while it was loaded: " + what, 0) == 0);
  }
}

TEST_CASE("a plugin describes itself the same to everybody") {
  CHECK(loaded("query_throws", "load.query") ==
        "fail: threw an exception from kdh_plugin_query: ask tomorrow." + kMendQuery);
  CHECK(loaded("query_null", "load.query") ==
        "fail: gave no description of itself (kdh_plugin_query returned null)." + kMendQuery);
  CHECK(loaded("query_changes", "load.query_again") ==
        "fail: describes itself differently when it is asked again." + kMendQuery);
  CHECK(loaded("query_other_thread", "load.query_again") ==
        "fail: describes itself differently when it is asked again from another thread." + kMendQuery);
  CHECK(loaded("query_picky", "load.newer_host") ==
        "fail: gave no description of itself (kdh_plugin_query returned null), when a host of ABI 1.1 asked." +
            kMendMinor);
}

TEST_CASE("a record that lies is told from the code that runs") {
  const std::string mend = " Build the plugin again with kdhost_add_plugin.";
  CHECK(finding_of({"other_name_in_code", "", "load.agrees", ""}) ==
        "fail: contradicts its own record: the name is 'zoo.faulty' in the record, 'zoo.somebody_else' in the code." +
            mend);
  CHECK(finding_of({"other_list", "", "load.agrees", ""}) ==
        "fail: contradicts its own record: the list of components is 'zoo.other' in the record, 'zoo.faulty' in the "
        "code." +
            mend);
  CHECK(finding_of({"other_params", "", "load.agrees", ""})
            .rfind("fail: contradicts its own record: parameters and ", 0) == 0);
  const std::string unbound = finding_of({"undefined_symbol", "", "load.bound", ""});
  CHECK(unbound ==
        "fail: cannot be loaded: undefined_symbol.so: undefined symbol: zoo_nobody_defines_this. Link what is missing; "
        "kdhost_add_plugin finds missing symbols when it links.");
  CHECK(finding_of({"no_entry", "", "load.bound", ""}) ==
        "fail: does not export the function kdh_plugin_query. End one of its sources with KDHOST_PLUGIN(...) and build "
        "it with kdhost_add_plugin.");
}

TEST_CASE("after a crash the tests that need what crashed are skipped, and the others run on in a new process") {
  ::setenv("KDHOST_ZOO", "abort", 1);
  check::Request request = request_for(zoo("unruly"));
  const check::Report report = check::check_plugin(request);
  ::unsetenv("KDHOST_ZOO");
  CHECK(!report.good());
  CHECK(report.count(check::Verdict::crash) == 1);
  CHECK(report.count(check::Verdict::fail) == 0);
  CHECK(report.count(check::Verdict::pass) == 9);  // level 1
  CHECK(report.outcomes.back().finding.what.rfind("not run, because load.", 0) == 0);
  CHECK(no_process_left());
}
