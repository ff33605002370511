// SPDX-License-Identifier: MIT
// Level 5 of the validator, schedulers: a value is a function of the moment alone.
#include <array>
#include <cmath>

#include "base/text.hpp"
#include "check/caller.hpp"
#include "check/suite.hpp"
#include "tensor/scheduler.hpp"

namespace kdhost::check {
namespace {

constexpr std::int64_t kManySteps = 1000000;

std::unique_ptr<SchedulerInstance> make_scheduler(Subject& subject, const ComponentInfo& info) {
  auto made = std::make_unique<SchedulerInstance>(origin_of(subject, info),
                                                  creation_of(subject, info, callable(subject, info).parameters, {}));
  note_call("value", info);
  return made;
}

// A validation after each epoch, slowly better.
class Training {
 public:
  Training(std::int64_t steps, std::int64_t steps_per_epoch) : steps_(steps), per_epoch_(steps_per_epoch) {
    for (std::int64_t epoch = 0; epoch < steps / per_epoch_; ++epoch) {
      history_.push_back(1.0 - 1.0 / static_cast<double>(epoch + 2));
      epochs_.push_back(epoch);
    }
  }
  kdh_moment at(std::int64_t step) const {
    kdh_moment moment{};
    moment.step = step;
    moment.steps = steps_;
    moment.epoch = step / per_epoch_;
    moment.epochs = steps_ / per_epoch_;
    moment.steps_per_epoch = per_epoch_;
    moment.base = 0.5;
    moment.history = history_.data();
    moment.history_epoch = epochs_.data();
    moment.n_history = static_cast<std::uint64_t>(moment.epoch);
    moment.higher_is_better = 1;
    return moment;
  }

 private:
  std::int64_t steps_;
  std::int64_t per_epoch_;
  std::vector<double> history_;
  std::vector<std::int64_t> epochs_;
};

constexpr const char* kMendPure =
    "Compute the value from the moment and the parameters only; history() has what was measured.";

Finding test_schedule_pure(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<SchedulerInstance> scheduler = make_scheduler(subject, *info);
  const Training training(400, 20);
  std::vector<double> forward;
  for (std::int64_t step = 0; step < 400; ++step) forward.push_back(scheduler->value(training.at(step)));
  for (std::int64_t step = 399; step >= 0; --step) {
    const double again = scheduler->value(training.at(step));
    if (again == forward[static_cast<std::size_t>(step)]) continue;
    return failed("gives " + shortest(forward[static_cast<std::size_t>(step)]) + " at step " + std::to_string(step) +
                      ", and " + shortest(again) + " when it is asked again after later steps.",
                  kMendPure);
  }
  return passed();
}

Finding test_schedule_resumes(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<SchedulerInstance> whole = make_scheduler(subject, *info);
  const Training training(400, 20);
  for (std::int64_t step = 0; step < 400; ++step) {
    const double value = whole->value(training.at(step));
    if (step % 57 != 0) continue;
    const double resumed = make_scheduler(subject, *info)->value(training.at(step));
    if (resumed == value) continue;
    return failed("gives " + shortest(value) + " at step " + std::to_string(step) + " of a whole run, and " +
                      shortest(resumed) + " in a run that is resumed there.",
                  kMendPure);
  }
  return passed();
}

Finding test_schedule_long(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<SchedulerInstance> scheduler = make_scheduler(subject, *info);
  const Training training(kManySteps, 1000);
  double last = 0.0;
  for (std::int64_t step = 0; step < kManySteps; ++step) last = scheduler->value(training.at(step));
  return passed("is " + shortest(last) + " after " + std::to_string(kManySteps) + " steps.");
}

}  // namespace

void add_scheduler_tests(std::vector<Test>& tests) {
  const auto add = [&](const char* name, Finding (*run)(Subject&, const ComponentInfo*)) {
    tests.push_back({.level = 5, .name = name, .kinds = {KDH_KIND_SCHEDULER}, .needs = {"call.works"}, .run = run});
  };
  add("scheduler.pure", test_schedule_pure);
  add("scheduler.resumes", test_schedule_resumes);
  add("scheduler.long", test_schedule_long);
}

}  // namespace kdhost::check
