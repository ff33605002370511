// SPDX-License-Identifier: MIT
// kdhost check PLUGIN.so through the built programs: what it prints, its exit codes, its JSON.
#include "cli/program.hpp"

using namespace kdhost::test;

namespace {

std::string of_zoo(const std::string& name) { return std::string("'") + kBuildDir + "/tests/zoo/" + name + ".so'"; }

std::string file_of_zoo(const std::string& name) { return std::string(kBuildDir) + "/tests/zoo/" + name + ".so"; }

// Without the line that says how long it took.
std::string without_time(const std::string& text) { return text.substr(0, text.rfind(", in ")); }

}  // namespace

TEST_CASE("a plugin that keeps its contract is exit code 0 and one line, the others are told with a sentence each") {
  const Program program;
  const Answer good = program.kdhost("check " + of_zoo("healthy") + " --level 2");
  CHECK(good.exit == 0);
  CHECK(without_time(good.out) ==
        file_of_zoo("healthy") + ": zoo.healthy 3.1.4, portable, 9 components\n22 passed, up to level 2");
  CHECK(good.err.empty());

  const Answer bad = program.kdhost("check " + of_zoo("broken") + " --only zoo.crashes --only call.works");
  CHECK(bad.exit == 5);
  CHECK(
      contains(bad.out,
               "\ncrash   call.works (zoo.crashes): crashed with SIGSEGV (Segmentation fault), in the function compute "
               "of 'zoo.crashes'.\n        Run this test alone with --in-process under a debugger to see where.\n"));
  CHECK(contains(bad.out, "\n1 crashed, up to level 7, in "));
}

TEST_CASE("a warning is told and does not fail") {
  const Program program;
  const Answer warned =
      program.kdhost("check " + of_zoo("broken") + " --only zoo.pulls_teacher --only loss.spares_teacher");
  CHECK(warned.exit == 0);
  CHECK(contains(warned.out, "\nwarn    loss.spares_teacher (zoo.pulls_teacher): has a gradient for the teacher"));
  CHECK(contains(warned.out, "\n1 warning, up to level 7, in "));
}

TEST_CASE("the findings are JSON when asked for") {
  const Program program;
  const Answer answer =
      program.kdhost("check " + of_zoo("broken") + " --json --seed 3 --only zoo.throws --only 'call.*'");
  CHECK(answer.exit == 5);
  const nlohmann::ordered_json json = answer.json();
  CHECK(json.at("file") == file_of_zoo("broken"));
  CHECK(json.at("ok") == false);
  CHECK(json.at("seed") == 3);
  CHECK(json.at("level") == 7);
  CHECK(json.at("counts").at("fail") == 1);
  CHECK(json.at("counts").at("skip") == 5);
  const auto& first = json.at("tests").at(0);
  CHECK(first.at("test") == "call.works");
  CHECK(first.at("component") == "zoo.throws");
  CHECK(first.at("verdict") == "fail");
  CHECK(first.at("what") == "loss 'zoo.throws', in compute: no value today.");
  CHECK(json.at("tests").at(1).at("what") == "not run, because call.works did not pass.");
}

TEST_CASE("a case of the random tests is run again by its seed") {
  const Program program;
  const Answer found =
      program.kdhost("check " + of_zoo("broken") + " --level 9 --only zoo.fuzzy_crash --only fuzz.random");
  CHECK(found.exit == 5);
  const std::string mark = "random case with seed ";
  const std::size_t at = found.out.find(mark);
  REQUIRE(at != std::string::npos);
  const std::string seed = found.out.substr(at + mark.size(), found.out.find(',', at) - at - mark.size());
  const Answer again =
      program.kdhost("check " + of_zoo("broken") + " --only zoo.fuzzy_crash --only fuzz.random --reproduce " + seed);
  CHECK(again.exit == 5);
  CHECK(contains(again.out, "random case with seed " + seed + ","));
}

TEST_CASE("parameters of a component can be set, and its defaults are then not tried") {
  const Program program;
  const std::string only = " --only zoo.fuzzy_crash --only call.works";
  CHECK(program.kdhost("check " + of_zoo("broken") + only).exit == 0);
  const Answer set = program.kdhost("check " + of_zoo("broken") + only + " --set zoo.fuzzy_crash.scale=7.5");
  CHECK(set.exit == 5);
  CHECK(contains(set.out, "crash   call.works (zoo.fuzzy_crash): crashed with SIGABRT"));
  const Answer unknown = program.kdhost("check " + of_zoo("broken") + " --set zoo.nobody.scale=7.5");
  CHECK(unknown.exit == 2);
  CHECK(unknown.err ==
        "error: kdhost check: --set zoo.nobody.scale names no component of the plugin.\n"
        "  Expected COMPONENT.PARAMETER=VALUE, as example.rings.samples=10.\n");
}

TEST_CASE("what is no plugin is one finding, and what cannot be asked is exit code 2") {
  const Program program;
  program.write("text.so", "hello");
  const Answer text = program.kdhost("check text.so --only file.record");
  CHECK(text.exit == 5);
  CHECK(contains(
      text.out,
      "text.so\nfail    file.record: is not a shared library: it begins with 'hello'.\n        Expected an ELF "
      "file. Name the .so file that the plugin's build made.\n"));
  program.write_experiment();
  const Answer level = program.kdhost("check tiny.toml --level 3");
  CHECK(level.exit == 2);
  CHECK(level.err ==
        "error: kdhost check: was given an option that is about plugins, and the experiment file 'tiny.toml'.\n"
        "  Expected a plugin, or none of --level, --only, --skip, --seed, --reproduce, --limit and --in-process.\n");
  const Answer high = program.kdhost("check text.so --level 11");
  CHECK(high.exit == 2);
  CHECK(contains(high.err, "--level is '11'.\n  Expected a whole number from 1 to 10."));
  const Answer name = program.kdhost("check text.so --only file.recrd");
  CHECK(name.exit == 2);
  CHECK(contains(name.err, "no test and no component is called 'file.recrd'."));
}
