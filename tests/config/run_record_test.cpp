// SPDX-License-Identifier: MIT
// What a run folder says about itself.
#include "config/run_record.hpp"

#include <catch2/catch.hpp>

#include "experiment_text.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

std::string state(const std::string& state, const std::string& hash) {
  return "{\"state\": \"" + state + "\", \"experiment\": \"" + hash + "\"}\n";
}

}  // namespace

TEST_CASE("a folder is that of a run only with a state.json that says whose run it is", "[config]") {
  const Folder f;
  CHECK_FALSE(run_record(f.file("nowhere")));
  for (const char* text : {"", "[]", "3", "{\"state\": \"done\"}", "{\"state\": 3, \"experiment\": \"ab\"}",
                           "{\"state\": \"\", \"experiment\": \"ab\"}", "{\"state\": \"done\", \"experi"}) {
    CAPTURE(text);
    f.write("run/state.json", text);
    CHECK_FALSE(run_record(f.file("run")));
  }
  f.write("run/state.json", state("failed", "ab"));
  const auto record = run_record(f.file("run"));
  REQUIRE(record);
  CHECK(record->state == "failed");
  CHECK(record->experiment == "ab");
}

TEST_CASE("the newest unfinished run of the same experiment is the one to resume", "[config]") {
  const Folder f;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(f.file(""));
  CHECK(runs_of("some/where/tiny.toml") == "runs/tiny");
  CHECK_FALSE(unfinished_run("", "tiny.toml", "ab"));
  f.write("runs/tiny/20260101-000000-ab/state.json", state("interrupted", "ab"));
  f.write("runs/tiny/20260102-000000-ab/state.json", state("running", "ab"));
  f.write("runs/tiny/20260103-000000-ab/state.json", state("done", "ab"));
  f.write("runs/tiny/20260104-000000-cd/state.json", state("interrupted", "cd"));
  std::string others;
  const auto found = unfinished_run("", "x/tiny.toml", "ab", &others);
  const auto named = unfinished_run("runs/tiny/20260101-000000-ab", "tiny.toml", "ab");
  const auto finished = unfinished_run("runs/tiny/20260103-000000-ab", "tiny.toml", "ab");
  std::filesystem::current_path(before);
  CHECK(found == "runs/tiny/20260102-000000-ab");
  CHECK(named == "runs/tiny/20260101-000000-ab");
  CHECK_FALSE(finished);
  CHECK(others ==
        "\n  runs/tiny/20260104-000000-cd: of another experiment (something in the file or on the command line has "
        "changed)"
        "\n  runs/tiny/20260103-000000-ab: finished");
}

TEST_CASE("the numerics a run began with are read from its resolved file, where it has one", "[config]") {
  const Folder f;
  std::filesystem::create_directories(f.file("run"));
  CHECK_FALSE(recorded_numerics(f.file("run")));
  f.write("run/resolved.toml", kGood + "[numerics]\nthreads = 7\nteacher_chunk = 8\n");
  const auto numerics = recorded_numerics(f.file("run"));
  REQUIRE(numerics);
  CHECK(numerics->threads.value == 7);
  CHECK(numerics->teacher_chunk.value == 8);
}
