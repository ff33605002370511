// SPDX-License-Identifier: MIT
// kdhost.multi_step: the value is multiplied by a factor at listed epochs, as most published distillation recipes do.
#pragma once
#include "training_clock.hpp"

namespace kdhost::plugins {

struct MultiStepSchedule final : Scheduler {
  static void describe(Spec& s) {
    s.id("kdhost.multi_step").version("1.0.0").summary("times a factor at each listed epoch");
    s.source("PyTorch, torch.optim.lr_scheduler.MultiStepLR, closed form");
    s.details(
        "value(t) = from gamma^k, k the number of milestones that are not later than t, t in epochs.\n"
        "A milestone written twice counts twice; the order does not matter.");
    s.recipe(
        "[[schedule]]\ntarget = \"optimizer.lr\"\nuse    = \"kdhost.multi_step\"\n"
        "params = { milestones = [150, 180, 210], gamma = 0.1 }\n");
    declare_from(s);
    s.numbers("milestones")
        .at_least(0)
        .required()
        .doc("epochs at whose beginning the value changes; fractions are allowed");
    s.number("gamma", 0.1).doc("the factor");
  }
  double value(const Moment& m, const Params& p) override {
    const std::vector<double> milestones = p.numbers("milestones");
    const auto passed = std::count_if(milestones.begin(), milestones.end(),
                                      [&](double epoch) { return steps_of(epoch, m) <= m.step(); });
    return start_value(m, p) * std::pow(p.number("gamma"), static_cast<double>(passed));
  }
};

}  // namespace kdhost::plugins
