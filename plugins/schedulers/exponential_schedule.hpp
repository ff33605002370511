// SPDX-License-Identifier: MIT
// kdhost.exponential: the value is multiplied by the same factor each epoch.
#pragma once
#include "training_clock.hpp"

namespace kdhost::plugins {

struct ExponentialSchedule final : Scheduler {
  static void describe(Spec& s) {
    s.id("kdhost.exponential").version("1.0.0").summary("times the same factor each epoch");
    s.source("PyTorch, torch.optim.lr_scheduler.ExponentialLR, closed form");
    s.details("value(t) = from gamma^t, t in epochs (whole ones unless per = \"step\")");
    s.recipe("[[schedule]]\ntarget = \"optimizer.lr\"\nuse    = \"kdhost.exponential\"\nparams = { gamma = 0.95 }\n");
    declare_from(s);
    s.number("gamma").above(0).required().doc("factor of one epoch");
    declare_per_epoch(s);
  }
  double value(const Moment& m, const Params& p) override {
    return start_value(m, p) * std::pow(p.number("gamma"), clock_epochs(m, p));
  }
};

}  // namespace kdhost::plugins
