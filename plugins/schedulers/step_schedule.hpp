// SPDX-License-Identifier: MIT
// kdhost.step: the value is multiplied by a factor every so many epochs.
#pragma once
#include "training_clock.hpp"

namespace kdhost::plugins {

struct StepSchedule final : Scheduler {
  static void describe(Spec& s) {
    s.id("kdhost.step").version("1.0.0").summary("times a factor every so many epochs");
    s.source("PyTorch, torch.optim.lr_scheduler.StepLR, closed form");
    s.details("value(t) = from gamma^floor(t / every), t in epochs");
    s.recipe(
        "[[schedule]]\ntarget = \"optimizer.lr\"\nuse    = \"kdhost.step\"\nparams = { every = 30, gamma = 0.1 }\n");
    declare_from(s);
    s.number("every").above(0).required().doc("epochs between two changes; fractions are allowed");
    s.number("gamma", 0.1).doc("the factor");
  }
  double value(const Moment& m, const Params& p) override {
    const std::int64_t every = std::max<std::int64_t>(steps_of(p.number("every"), m), 1);
    return start_value(m, p) * std::pow(p.number("gamma"), static_cast<double>(m.step() / every));
  }
};

}  // namespace kdhost::plugins
