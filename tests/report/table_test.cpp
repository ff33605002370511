// SPDX-License-Identifier: MIT
// The closing table, whole texts.
#include "report/table.hpp"

#include <catch2/catch.hpp>

#include "report/made_results.hpp"

using namespace kdhost;
using namespace kdhost::test;

TEST_CASE("the closing table shows teacher, student alone and distilled, and the gain with its interval") {
  CHECK(closing_table(run({{0.80, 0.88}, {0.81, 0.88}, {0.80, 0.89}})) ==
        "Logit distillation\n"
        "\n"
        "                         test accuracy %   NLL     agreement   parameters   latency (batch 1)\n"
        "teacher mlp 800-800      89.10             0.310   –           1.28 M       0.21 ms\n"
        "student alone            80.33 ± 0.58      0.610   83.00 %     0.20 M       0.040 ms\n"
        "student distilled        88.33 ± 0.58      0.340   95.10 %     0.20 M       0.040 ms   (5.2x faster than the "
        "teacher)\n"
        "gain from distillation   +8.00 (3 seeds, 95 % interval +5.52 … +10.48)\n"
        "\n"
        "folder: runs/logit-kd/20260101-120000-1a2b3c4d\n");
}

TEST_CASE("an interval that includes zero is said in plain words, with what the checks noticed") {
  RunResult r = run({{0.80, 0.81}, {0.82, 0.81}, {0.81, 0.81}});
  r.student_latency_ms = 0.2;
  r.notes = {"teacher 'teacher' is no better than the student alone (accuracy 0.8000 against 0.8100)"};
  CHECK(closing_table(r) ==
        "Logit distillation\n"
        "\n"
        "                         test accuracy %   NLL     agreement   parameters   latency (batch 1)\n"
        "teacher mlp 800-800      89.10             0.310   –           1.28 M       0.21 ms\n"
        "student alone            81.00 ± 1.00      0.610   83.00 %     0.20 M       0.20 ms\n"
        "student distilled        81.00 ± 0.00      0.340   95.10 %     0.20 M       0.20 ms\n"
        "gain from distillation   0.00 (3 seeds, 95 % interval -2.48 … +2.48)\n"
        "\n"
        "Distillation did not help measurably here: the interval includes zero.\n"
        "\n"
        "noticed: teacher 'teacher' is no better than the student alone (accuracy 0.8000 against 0.8100)\n"
        "\n"
        "folder: runs/logit-kd/20260101-120000-1a2b3c4d\n");
}

TEST_CASE("an interval below zero is called harm") {
  const std::string text = closing_table(run({{0.88, 0.80}, {0.88, 0.81}, {0.89, 0.80}}));
  CHECK(text.find("gain from distillation   -8.00 (3 seeds, 95 % interval -10.48 … -5.52)\n"
                  "\n"
                  "Distillation did not help here, it harmed: the whole interval is below zero.\n") !=
        std::string::npos);
}

TEST_CASE("one seed has no spread and no interval, and the table says what that means") {
  CHECK(closing_table(run({{0.80, 0.88}})) ==
        "Logit distillation\n"
        "\n"
        "                         test accuracy %   NLL     agreement   parameters   latency (batch 1)\n"
        "teacher mlp 800-800      89.10             0.310   –           1.28 M       0.21 ms\n"
        "student alone            80.00             0.610   83.00 %     0.20 M       0.040 ms\n"
        "student distilled        88.00             0.340   95.10 %     0.20 M       0.040 ms   (5.2x faster than the "
        "teacher)\n"
        "gain from distillation   +8.00 (1 seed, no interval)\n"
        "\n"
        "One seed cannot tell a gain from chance: give several, seeds = [1, 2, 3].\n"
        "\n"
        "folder: runs/logit-kd/20260101-120000-1a2b3c4d\n");
  CHECK(closing_table(run({{0.80, 0.79}})).find("Distillation did not help in this run. One seed cannot") !=
        std::string::npos);
}

TEST_CASE("where validation chose the best epoch, the last one stands below the table") {
  RunResult r = run({{0.80, 0.88}, {0.80, 0.89}});
  r.has_validation = true;
  for (LegResult& leg : r.legs) leg.test_last = evaluation(leg.baseline ? 0.79 : 0.87, 0.7, 0.8);
  const std::string text = closing_table(r);
  CHECK(text.substr(text.find("\nThe numbers above")) ==
        "\nThe numbers above are those of the best epoch by validation. After the last epoch:\n"
        "student alone            79.00 ± 0.00\n"
        "student distilled        87.00 ± 0.00\n"
        "gain from distillation   +8.00 (2 seeds, 95 % interval +8.00 … +8.00)\n"
        "\n"
        "folder: runs/logit-kd/20260101-120000-1a2b3c4d\n");
}

TEST_CASE("a student trained without a teacher has one row and no gain") {
  RunResult r = run({{0.0, 0.891}});
  r.title.clear();
  r.teachers.clear();
  std::erase_if(r.legs, [](const LegResult& leg) { return leg.baseline; });
  r.legs.front().test_best = r.legs.front().test_last = {{{"accuracy", 0.891}, {"nll", 0.31}}};
  r.student_parameters = 61'706;
  CHECK(closing_table(r) ==
        "          test accuracy %   NLL     parameters   latency (batch 1)\n"
        "student   89.10             0.310   61,706       0.040 ms\n"
        "\n"
        "folder: runs/logit-kd/20260101-120000-1a2b3c4d\n");
}

TEST_CASE("without a test split the table shows validation and says so") {
  RunResult r = run({{0.80, 0.88}});
  r.has_validation = true;
  for (LegResult& leg : r.legs) {
    leg.validation_best = leg.test_best;
    leg.validation_last = leg.test_last;
    leg.test_best = leg.test_last = {};
  }
  r.teachers.front().test = {};
  const std::string text = closing_table(r);
  CHECK(text.find("   validation accuracy %   NLL") != std::string::npos);
  CHECK(text.find("teacher mlp 800-800      –                       –       –") != std::string::npos);
  CHECK(text.find("student distilled        88.00                   0.340") != std::string::npos);
}

TEST_CASE("a metric that is better when lower gains by falling") {
  RunResult r = run({{0.0, 0.0}, {0.0, 0.0}});
  r.metric = "nll";
  r.higher_is_better = false;
  const std::string text = closing_table(r);
  CHECK(text.find("                         test NLL        agreement") != std::string::npos);
  CHECK(text.find("gain from distillation   +0.270 (2 seeds, 95 % interval +0.270 … +0.270)") != std::string::npos);
}

TEST_CASE("several teachers are named, and speed is compared with the slowest") {
  RunResult r = run({{0.80, 0.88}});
  r.teachers.push_back(r.teachers.front());
  r.teachers[0].name = "big";
  r.teachers[1].name = "wide";
  r.teachers[1].latency_ms = 0.8;
  const std::string text = closing_table(r);
  CHECK(text.find("teacher big (mlp 800-800)    89.10") != std::string::npos);
  CHECK(text.find("teacher wide (mlp 800-800)   89.10") != std::string::npos);
  CHECK(text.find("(20x faster than the slowest teacher)") != std::string::npos);
}

TEST_CASE("only seeds that both arms have are paired") {
  RunResult r = run({{0.80, 0.88}, {0.80, 0.89}, {0.10, 0.90}});
  r.legs.pop_back();  // the third seed alone has not been trained
  CHECK(closing_table(r).find("+8.50 (2 seeds, 95 % interval +2.15 … +14.85)") != std::string::npos);
}

TEST_CASE("the table has no colour codes, and control characters of a title do not reach the terminal") {
  RunResult r = run({{0.80, 0.88}});
  r.title = "a\x1b[31mb";
  CHECK(closing_table(r).find('\x1b') == std::string::npos);
}
