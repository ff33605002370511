// SPDX-License-Identifier: MIT
// The comparison of runs, whole texts in each format.
#include "report/comparison.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "report/made_results.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

std::vector<RunResult> two_runs() {
  std::vector<RunResult> runs = {run({{0.80, 0.88}, {0.81, 0.89}, {0.80, 0.90}}), run({{0.80, 0.79}})};
  runs[1].title = "Hint, \"FitNet\"";
  runs[1].folder = "runs/hint/1";
  return runs;
}

}  // namespace

TEST_CASE("the comparison has a row a run") {
  CHECK(comparison_text(two_runs()) ==
        "run                  seeds   student alone, test accuracy %   student distilled   gain (95 % interval)     "
        "NLL     "
        "agreement   training time\n"
        "Logit distillation   3       80.33 ± 0.58                     89.00 ± 1.00        +8.67 (+5.80 … +11.54)   "
        "0.340   "
        "95.10 %     32 s\n"
        "Hint, \"FitNet\"       1       80.00                            79.00               -1.00                    "
        "0.340   "
        "95.10 %     10 s\n");
}

TEST_CASE("runs of different metrics name theirs in a column of its own") {
  std::vector<RunResult> runs = two_runs();
  runs[1].metric = "nll";
  runs[1].higher_is_better = false;
  CHECK(comparison_markdown(runs) ==
        "| run | metric | seeds | student alone | student distilled | gain (95 % interval) | NLL | agreement | "
        "training time |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
        "| Logit distillation | test accuracy % | 3 | 80.33 ± 0.58 | 89.00 ± 1.00 | +8.67 (+5.80 … +11.54) | 0.340 | "
        "95.10 % | "
        "32 s |\n"
        "| Hint, \"FitNet\" | test NLL | 1 | 0.610 | 0.340 | +0.270 | 0.340 | 95.10 % | 10 s |\n");
}

TEST_CASE("CSV has plain numbers, and nothing where there is none") {
  CHECK(comparison_csv({two_runs()[1]}) ==
        "title,folder,split,metric,seeds,alone_mean,alone_std,distilled_mean,distilled_std,gain_mean,gain_low,gain_"
        "high,nll,"
        "agreement,training_seconds\n"
        "\"Hint, \"\"FitNet\"\"\",runs/hint/1,test,accuracy,1,0.8,,0.79,,-0.010000000000000009,,,0.34,0.951,10.5\n");
}

TEST_CASE("JSON says the same, with null where there is nothing") {
  const auto list = nlohmann::json::parse(comparison_json(two_runs()));
  REQUIRE(list.size() == 2);
  CHECK(list[0]["title"] == "Logit distillation");
  CHECK(list[0]["gain_low"].get<double>() == Approx(0.05798).epsilon(1e-3));
  CHECK(list[1]["gain_low"].is_null());
  CHECK(list[1]["alone_std"].is_null());
  CHECK(list[1]["gain_mean"].get<double>() == Approx(-0.01));
}

TEST_CASE("a run without a baseline has dashes where the baseline would be") {
  RunResult r = run({{0.80, 0.88}});
  std::erase_if(r.legs, [](const LegResult& leg) { return leg.baseline; });
  CHECK(comparison_text({r}) ==
        "run                  seeds   student alone, test accuracy %   student distilled   gain (95 % interval)   NLL  "
        "   "
        "agreement   training time\n"
        "Logit distillation   1       –                                88.00               –                      "
        "0.340   "
        "95.10 %     6.5 s\n");
}
