// SPDX-License-Identifier: MIT
// The shipped schedulers against values computed independently: the step-by-step recursions of PyTorch's schedulers,
// written out in Python in double precision (the plugins use closed forms), and hand values.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include "differences.hpp"
#include "plugins/plain_host.hpp"

using namespace kdhost::test;

namespace {

struct Time {
  int64_t steps = 10, steps_per_epoch = 1;
  double base = 0.1;
  std::vector<double> history{};
  bool higher_is_better = true;
};

double value_at(const PlainInstance& scheduler, const Time& time, int64_t step) {
  std::vector<int64_t> epochs;
  for (std::size_t i = 0; i < time.history.size(); ++i) epochs.push_back(static_cast<int64_t>(i));
  kdh_moment m{};
  m.struct_size = sizeof m;
  m.step = step;
  m.steps = time.steps;
  m.steps_per_epoch = time.steps_per_epoch;
  m.epoch = step / time.steps_per_epoch;
  m.epochs = (time.steps + time.steps_per_epoch - 1) / time.steps_per_epoch;
  m.base = time.base;
  m.history = time.history.data();
  m.history_epoch = epochs.data();
  m.n_history = time.history.size();
  m.higher_is_better = time.higher_is_better ? 1 : 0;
  double value = std::nan("");
  PlainInstance::check(scheduler.table<kdh_scheduler>().value(scheduler.self(), &m, scheduler.params().data(),
                                                              scheduler.params().size(), &value));
  return value;
}

std::vector<double> values(const std::string& id, const Settings& settings, const Time& time, int64_t count) {
  const PlainInstance scheduler("kdhost_schedulers", id, settings);
  std::vector<double> list;
  for (int64_t step = 0; step < count; ++step) list.push_back(value_at(scheduler, time, step));
  return list;
}

double after(const std::string& id, const Settings& settings, std::vector<double> history, bool higher_is_better = true,
             double base = 0.1) {
  const PlainInstance scheduler("kdhost_schedulers", id, settings);
  return value_at(scheduler, {10, 1, base, std::move(history), higher_is_better}, 5);
}

/// Step by step.
Differences differences(const std::vector<double>& found, const std::vector<double>& expected,
                        double tolerance = 1e-15) {
  if (found.size() != expected.size()) return {std::to_string(found.size()) + " steps"};
  Differences wrong;
  for (std::size_t i = 0; i < found.size(); ++i)
    if (!(std::abs(found[i] - expected[i]) <= tolerance))
      wrong.push_back(difference("step " + std::to_string(i), found[i], expected[i]));
  return wrong;
}

const std::vector<std::pair<std::string, Settings>> kAll = {
    {"kdhost.constant", {}},
    {"kdhost.linear", {{"to", 2.0}}},
    {"kdhost.cosine", {{"warmup_epochs", 1.5}}},
    {"kdhost.step", {{"every", 2.0}}},
    {"kdhost.multi_step", {{"milestones", std::vector<double>{2, 3}}}},
    {"kdhost.exponential", {{"gamma", 0.9}}},
    {"kdhost.polynomial", {}},
    {"kdhost.one_cycle", {}},
    {"kdhost.plateau", {}},
    {"kdhost.adaptive", {{"target", 0.9}}},
};

}  // namespace

TEST_CASE("constant keeps the value of the file, or its own") {
  CHECK(differences(values("kdhost.constant", {}, {}, 3), {0.1, 0.1, 0.1}) == kNoDifferences);
  CHECK(differences(values("kdhost.constant", {{"value", 0.5}}, {}, 2), {0.5, 0.5}) == kNoDifferences);
}

TEST_CASE("linear has the values of PyTorch's LinearLR") {
  // LinearLR(lr 0.05, start_factor 0.5, end_factor 1, total_iters 4)
  CHECK(differences(values("kdhost.linear",
                           {{"from", 0.025}, {"to", 0.05}, {"epochs", 4.0}, {"per", std::string("epoch")}}, {}, 6),
                    {0.025, 0.03125, 0.0375, 0.043750000000000004, 0.05, 0.05}) == kNoDifferences);
}

TEST_CASE("linear follows the progress of the stage, and starts at the value of the file") {
  CHECK(differences(values("kdhost.linear", {{"to", 2.0}}, {4, 2, 8.0}, 4), {8.0, 6.5, 5.0, 3.5}) == kNoDifferences);
}

TEST_CASE("linear waits for its start, and ends in fractions of an epoch") {
  // 4 steps an epoch: starts at step 2, lasts 3 steps
  CHECK(differences(
            values("kdhost.linear", {{"from", 0.0}, {"to", 3.0}, {"start_epoch", 0.5}, {"epochs", 0.75}}, {12, 4}, 7),
            {0, 0, 0, 1, 2, 3, 3}) == kNoDifferences);
}

TEST_CASE("cosine has the values of PyTorch's CosineAnnealingLR") {
  CHECK(differences(values("kdhost.cosine", {{"to", 0.01}, {"per", std::string("epoch")}}, {5}, 5),
                    {0.1, 0.09140576474687263, 0.06890576474687264, 0.04109423525312737, 0.01859423525312737}) ==
        kNoDifferences);
}

TEST_CASE("cosine warms up along a line, also for a fraction of an epoch") {
  // 4 steps an epoch, half an epoch = 2 steps of warm-up, then 4 steps of half a cosine
  CHECK(differences(values("kdhost.cosine", {{"warmup_epochs", 0.5}, {"warmup_from", 0.02}}, {6, 4}, 6),
                    {0.02, 0.06, 0.1, 0.05 * (1 + std::sqrt(0.5)), 0.05, 0.05 * (1 - std::sqrt(0.5))}) ==
        kNoDifferences);
}

TEST_CASE("step drops every so many epochs, as PyTorch's StepLR") {
  CHECK(differences(values("kdhost.step", {{"every", 2.0}, {"gamma", 0.5}}, {6, 1, 8.0}, 6), {8, 8, 4, 4, 2, 2}) ==
        kNoDifferences);
  CHECK(differences(values("kdhost.step", {{"every", 0.5}, {"gamma", 0.5}}, {6, 4, 8.0}, 6), {8, 8, 4, 4, 2, 2}) ==
        kNoDifferences);
}

TEST_CASE("multi_step drops at its milestones in any order, one written twice counts twice") {
  const Settings settings = {{"milestones", std::vector<double>{3, 1, 3}}, {"gamma", 0.5}};
  CHECK(differences(values("kdhost.multi_step", settings, {5, 1, 8.0}, 5), {8, 4, 4, 1, 1}) == kNoDifferences);
}

TEST_CASE("exponential changes at epochs, or at every step when told so") {
  CHECK(differences(values("kdhost.exponential", {{"gamma", 0.25}}, {6, 2, 8.0}, 5), {8, 8, 2, 2, 0.5}) ==
        kNoDifferences);
  CHECK(differences(values("kdhost.exponential", {{"gamma", 0.25}, {"per", std::string("step")}}, {6, 2, 8.0}, 5),
                    {8, 4, 2, 1, 0.5}) == kNoDifferences);
}

TEST_CASE("polynomial has the values of PyTorch's PolynomialLR") {
  // PolynomialLR(lr 0.2, total_iters 4, power 0.9)
  CHECK(differences(values("kdhost.polynomial", {{"power", 0.9}, {"epochs", 4.0}}, {6, 1, 0.2}, 6),
                    {0.2, 0.1543779013447141, 0.10717734625362932, 0.05743491774985175, 0.0, 0.0}) == kNoDifferences);
}

TEST_CASE("one_cycle has the values of PyTorch's OneCycleLR") {
  CHECK(differences(values("kdhost.one_cycle", {}, {10}, 10),
                    {0.0040000000000000036, 0.052000000000000005, 0.1, 0.09504846320134738, 0.0811745653949763,
                     0.06112620219362893, 0.03887419780637107, 0.0188258346050237, 0.004951936798652629, 4e-07}) ==
        kNoDifferences);
  const Settings three = {{"pct_start", 0.4},
                          {"div_factor", 10.0},
                          {"final_div_factor", 100.0},
                          {"anneal", std::string("linear")},
                          {"three_phase", true}};
  CHECK(differences(values("kdhost.one_cycle", three, {10}, 10),
                    {0.01, 0.04, 0.07, 0.1, 0.07, 0.04, 0.009999999999999995, 0.0067, 0.0034000000000000002,
                     9.99999999999994e-05}) == kNoDifferences);
}

TEST_CASE("one_cycle is finite in a stage of one step") {
  const Settings settings = {{"pct_start", 0.0}};
  CHECK(std::isfinite(values("kdhost.one_cycle", settings, {1}, 1)[0]));
  CHECK(std::isfinite(values("kdhost.one_cycle", {{"pct_start", 1.0}}, {1}, 1)[0]));
}

TEST_CASE("plateau has the values of PyTorch's ReduceLROnPlateau after each validation") {
  const Settings settings = {{"factor", 0.5}, {"patience", 1.0}, {"cooldown", 2.0}, {"min", 0.02}};
  const std::vector<double> history = {0.5, 0.6, 0.6, 0.6, 0.6, 0.59, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7};
  const std::vector<double> expected = {0.1,  0.1,   0.1,   0.05,  0.05,  0.05, 0.05,
                                        0.05, 0.025, 0.025, 0.025, 0.025, 0.02, 0.02};
  for (std::size_t n = 1; n <= history.size(); ++n)
    CHECK(after("kdhost.plateau", settings, {history.begin(), history.begin() + static_cast<std::ptrdiff_t>(n)}) ==
          Approx(expected[n - 1]).epsilon(1e-14));
}

TEST_CASE("plateau follows a metric where lower is better, with an absolute threshold") {
  const Settings settings = {{"patience", 1.0}, {"threshold", 0.02}, {"threshold_mode", std::string("abs")}};
  const std::vector<double> history = {1.0, 0.95, 0.94, 0.935, 0.7, 0.69, 0.68};
  const std::vector<double> expected = {1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.01};
  for (std::size_t n = 1; n <= history.size(); ++n)
    CHECK(after("kdhost.plateau", settings, {history.begin(), history.begin() + static_cast<std::ptrdiff_t>(n)}, false,
                1.0) == Approx(expected[n - 1]).epsilon(1e-14));
}

TEST_CASE("plateau counts a value that is not a number as no improvement, and never raises a value") {
  const double nan = std::nan("");
  CHECK(after("kdhost.plateau", {{"patience", 0.0}}, {0.5, nan}) == Approx(0.01));
  CHECK(after("kdhost.plateau", {{"patience", 0.0}, {"min", 0.5}}, {0.5, 0.4}) == 0.1);
}

TEST_CASE("adaptive moves with the last validation value, or with its moving average") {
  const Settings settings = {{"from", 1.0}, {"to", 0.0}, {"begin", 0.5}, {"target", 0.9}};
  CHECK(after("kdhost.adaptive", settings, {}) == 1.0);
  CHECK(after("kdhost.adaptive", settings, {0.4}) == 1.0);
  CHECK(after("kdhost.adaptive", settings, {0.4, 0.7}) == Approx(0.5));
  CHECK(after("kdhost.adaptive", settings, {0.4, 0.95}) == 0.0);
  CHECK(after("kdhost.adaptive", settings, {0.95, 0.6}) == Approx(0.75));  // and back
  // a = 0.5 * 0.4 + 0.5 * 0.8 = 0.6, then 0.5 * 0.6 + 0.5 * 0.8 = 0.7
  const Settings smooth = {{"from", 1.0}, {"begin", 0.5}, {"target", 0.9}, {"smoothing", 0.5}, {"power", 2.0}};
  CHECK(after("kdhost.adaptive", smooth, {0.4, 0.8, 0.8}) == Approx(0.75));
}

TEST_CASE("adaptive begins at the first validation value, and follows metrics where lower is better") {
  CHECK(after("kdhost.adaptive", {{"to", 1.1}, {"target", 0.8}}, {0.4, 0.6}) == Approx(0.6));
  CHECK(after("kdhost.adaptive", {{"to", 1.1}, {"target", 0.2}}, {1.0, 0.6}, false) == Approx(0.6));
  CHECK(after("kdhost.adaptive", {{"to", 1.1}, {"target", 0.2}}, {0.1, 0.15}, false) == Approx(1.1));
  CHECK(after("kdhost.adaptive", {{"to", 1.1}, {"target", 0.2}}, {0.1, 0.6}, false) == Approx(0.1));
}

TEST_CASE("adaptive refuses a start beyond its target") {
  const Settings settings = {{"begin", 0.9}, {"target", 0.5}};
  try {
    after("kdhost.adaptive", settings, {0.4});
    FAIL("nothing was refused");
  } catch (const Refused& e) {
    CHECK(e.status == KDH_E_INVALID_ARGUMENT);
    CHECK(std::string(e.what()) ==
          "parameter 'begin' is 0.900000 and 'target' is 0.500000; expected begin < target, since the first metric is "
          "better when "
          "higher. Swap the two, or put another metric first.");
  }
}

TEST_CASE("every scheduler is a pure function: asked in any order it gives the same values") {
  for (const auto& [id, settings] : kAll) {
    INFO(id);
    const Time time{9, 2, 0.1, {0.3, 0.5, 0.4}};
    const std::vector<double> forward = values(id, settings, time, 9);
    const PlainInstance scheduler("kdhost_schedulers", id, settings);
    for (int64_t step = 8; step >= 0; --step) {
      const double again = value_at(scheduler, time, step);
      CHECK(again == forward[static_cast<std::size_t>(step)]);
      CHECK(std::isfinite(again));
    }
  }
}

TEST_CASE("every scheduler starts from the value of the file") {
  for (const auto& [id, settings] : kAll) {
    if (id == "kdhost.one_cycle" || id == "kdhost.cosine") continue;  // they start below it
    INFO(id);
    CHECK(values(id, settings, {10, 2, 0.125}, 1)[0] == 0.125);
  }
}
