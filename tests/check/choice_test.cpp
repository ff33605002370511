// SPDX-License-Identifier: MIT
// Which tests of the validator run: levels, --only, --skip, and what a wrong name is answered.
#include <set>

#include "check/zoo_check.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

std::set<std::string> names_of(const check::Report& report) {
  std::set<std::string> names;
  for (const check::Outcome& outcome : report.outcomes) {
    names.insert(outcome.test + (outcome.component.empty() ? "" : " " + outcome.component));
  }
  return names;
}

check::Request healthy() {
  check::Request request = request_for(zoo("healthy"));
  request.level = 4;
  return request;
}

}  // namespace

TEST_CASE("tests and components are chosen by name and pattern") {
  check::Request request = healthy();
  request.only = {"file.record"};
  CHECK(names_of(check_plugin(request)) == std::set<std::string>{"file.record"});
  request.only = {"file.re*", "load.bound"};
  CHECK(names_of(check_plugin(request)) == std::set<std::string>{"file.record", "load.bound"});
  request.only = {"life.table", "zoo.ramp"};
  CHECK(names_of(check_plugin(request)) == std::set<std::string>{"life.table zoo.ramp"});
  request.only = {"zoo.ramp"};
  request.skip = {"life.*"};
  for (const std::string& name : names_of(check_plugin(request))) {
    INFO(name);
    CHECK(name.rfind("description.", 0) == 0);
    CHECK(name.find(" zoo.ramp") != std::string::npos);
  }
}

TEST_CASE("a level takes the lower ones with it, and no higher one") {
  check::Request request = healthy();
  request.skip = {"life.*"};
  for (const int level : {1, 2, 3}) {
    request.level = level;
    std::set<int> seen;
    for (const check::Outcome& outcome : check_plugin(request).outcomes) seen.insert(outcome.level);
    CHECK(*seen.begin() == 1);
    CHECK(*seen.rbegin() == level);
  }
}

TEST_CASE("a name that fits nothing is refused with the nearest") {
  check::Request request = healthy();
  request.only = {"lod.bound"};
  CHECK(error_of([&] { check_plugin(request); }) ==
        "exit 2: kdhost check: no test and no component is called 'lod.bound'.\n"
        "  Expected the name of a test, of a component, or a pattern with *. Did you mean 'load.bound'?");
  request.only = {"zoo.nobody"};
  CHECK(error_of([&] { check_plugin(request); }) ==
        "exit 2: kdhost check: no test and no component is called 'zoo.nobody'.\n"
        "  Expected the name of a test, of a component, or a pattern with *.");
}

TEST_CASE("in one process the same is found, without a child") {
  check::Request request = healthy();
  request.in_process = true;
  request.only = {"load.*", "description.version"};
  const check::Report report = check_plugin(request);
  CHECK(report.good());
  CHECK(report.count(check::Verdict::pass) > 20);
  for (const check::Outcome& outcome : report.outcomes) {
    if (outcome.test == "load.output") CHECK(outcome.finding.verdict == check::Verdict::skip);
  }
}

TEST_CASE("every test has a name of its own, a known level, and needs only tests that exist") {
  std::set<std::string> names;
  for (const check::Test& test : check::all_tests()) CHECK(names.insert(test.name).second);
  for (const check::Test& test : check::all_tests()) {
    CHECK(test.level >= 1);
    CHECK(test.level <= check::kHighestLevel);
    for (const std::string& need : test.needs) CHECK(names.count(need) == 1);
  }
}
