// SPDX-License-Identifier: MIT
// The environment plan: threads from what was asked, the environment or the load; heap settings always together.
#include "base/launch.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace kdhost;

namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

EnvironmentPlan plan(std::optional<int> threads, std::map<std::string, std::string> environment, MachineLoad load) {
  const auto lookup = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = environment.find(std::string(name));
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  };
  return plan_environment(threads, lookup, [&] { return load; });
}

EnvironmentPlan plan_without_look(std::optional<int> threads, const std::string& omp) {
  const auto lookup = [&](std::string_view name) -> std::optional<std::string> {
    return name == "OMP_NUM_THREADS" && !omp.empty() ? std::optional(omp) : std::nullopt;
  };
  return plan_environment(threads, lookup, []() -> MachineLoad {
    FAIL("the machine was looked at");
    return {};
  });
}

constexpr const char* kBefore =
    "cpu  100 0 100 1000 0 0 0 0 0 0\n"
    "cpu0 50 0 50 500 0 0 0 0 0 0\n"
    "cpu1 50 0 50 500 0 0 0 0 0 0\n"
    "intr 12345\n";
constexpr const char* kOneBusy =
    "cpu  102 0 100 1002 0 0 0 0 0 0\n"
    "cpu0 52 0 50 500 0 0 0 0 0 0\n"
    "cpu1 50 0 50 501 1 0 0 0 0 0\n"
    "intr 12346\n";

}  // namespace

TEST_CASE("an idle machine gives all its cores and keeps the waiting as it is", "[base]") {
  const EnvironmentPlan found = plan({}, {}, {.cores = 2, .busy = 0.2});
  CHECK(found.threads == 2);
  CHECK_FALSE(found.shared);
  CHECK(found.text == "threads: 2 of 2");
  CHECK(found.variables == Variables{{"MALLOC_TRIM_THRESHOLD_", "4294967296"},
                                     {"MALLOC_MMAP_THRESHOLD_", "4294967296"},
                                     {"MALLOC_TOP_PAD_", "67108864"},
                                     {"OMP_NUM_THREADS", "2"},
                                     {"CUBLAS_WORKSPACE_CONFIG", ":4096:8"},
                                     {"KDHOST_LAUNCH", "threads: 2 of 2"}});
}

TEST_CASE("a busy neighbour leaves the free cores only, without spinning", "[base]") {
  const EnvironmentPlan found = plan({}, {}, {.cores = 2, .busy = 1.0});
  CHECK(found.threads == 1);
  CHECK(found.shared);
  CHECK(found.text == "threads: 1 of 2 (other work keeps 1.0 busy), waiting without spinning");
  CHECK(std::find(found.variables.begin(), found.variables.end(),
                  std::pair<std::string, std::string>("GOMP_SPINCOUNT", "0")) != found.variables.end());
  CHECK(plan({}, {}, {.cores = 8, .busy = 2.4}).threads == 6);
  CHECK(plan({}, {}, {.cores = 8, .busy = 2.6}).threads == 5);
  CHECK(plan({}, {}, {.cores = 2, .busy = 2.0}).threads == 1);
}

TEST_CASE("a thread count that was asked for is taken without looking at the machine", "[base]") {
  CHECK(plan_without_look(3, "").threads == 3);
  CHECK(plan_without_look(3, "8").threads == 3);
  CHECK(plan_without_look(3, "").text == "threads: 3 (as asked)");
  CHECK(plan_without_look({}, "4").threads == 4);
  CHECK(plan_without_look({}, "4,2").threads == 4);
  CHECK(plan_without_look({}, "4").text == "threads: 4 (from OMP_NUM_THREADS)");
}

TEST_CASE("an OMP_NUM_THREADS that is no number is passed over", "[base]") {
  CHECK(plan({}, {{"OMP_NUM_THREADS", "many"}}, {.cores = 2, .busy = 0}).threads == 2);
  CHECK(plan({}, {{"OMP_NUM_THREADS", "0"}}, {.cores = 2, .busy = 0}).threads == 2);
}

TEST_CASE("what the user has set stays, and the heap settings are complete all the same", "[base]") {
  const EnvironmentPlan found = plan(1, {{"MALLOC_TRIM_THRESHOLD_", "1000"}, {"CUBLAS_WORKSPACE_CONFIG", ":16:8"}}, {});
  CHECK(found.variables == Variables{{"MALLOC_MMAP_THRESHOLD_", "4294967296"},
                                     {"MALLOC_TOP_PAD_", "67108864"},
                                     {"OMP_NUM_THREADS", "1"},
                                     {"KDHOST_LAUNCH", "threads: 1 (as asked)"}});
}

TEST_CASE("the load is the busy share of the processors this process may use", "[base]") {
  const MachineLoad both = load_between(kBefore, kOneBusy, {});
  CHECK(both.cores == 2);
  CHECK(both.busy == Approx(1.0));
  CHECK(load_between(kBefore, kOneBusy, {1}).busy == Approx(0.0));
  CHECK(load_between(kBefore, kOneBusy, {0}).cores == 1);
  CHECK(load_between(kBefore, kBefore, {}).busy == Approx(0.0));
  CHECK(load_between("", "", {}).cores == 1);
  CHECK(load_between(kOneBusy, kBefore, {}).busy == Approx(0.0));
}

TEST_CASE("this machine can be measured in time", "[base]") {
  const auto start = std::chrono::steady_clock::now();
  const MachineLoad load = measure_load();
  CHECK(load.cores >= 1);
  CHECK(load.busy >= 0.0);
  CHECK(load.busy <= load.cores);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  CHECK(usable_cores() >= 1);
}

TEST_CASE("a plan that is applied stands in the environment", "[base]") {
  apply({.variables = {{"KDHOST_TEST_VARIABLE", "7"}}});
  CHECK(environment_variable("KDHOST_TEST_VARIABLE") == std::optional<std::string>("7"));
  CHECK_FALSE(environment_variable("KDHOST_TEST_NOTHING").has_value());
}
