// SPDX-License-Identifier: MIT
// kdhost.polynomial: from one value to another along a power of the remaining time.
#pragma once
#include "training_clock.hpp"

namespace kdhost::plugins {

struct PolynomialSchedule final : Scheduler {
  static void describe(Spec& s) {
    s.id("kdhost.polynomial").version("1.0.0").summary("from one value to another along a power of the remaining time");
    s.source("PyTorch, torch.optim.lr_scheduler.PolynomialLR, closed form (there `to` is 0)");
    s.details(
        "value(t) = to + (from - to) (1 - clip(t / length, 0, 1))^power, t in epochs. power = 1 is a line, 0.9 is "
        "usual in\n"
        "segmentation.");
    s.recipe("[[schedule]]\ntarget = \"optimizer.lr\"\nuse    = \"kdhost.polynomial\"\nparams = { power = 0.9 }\n");
    declare_from(s);
    s.number("to", 0.0).doc("value at the end");
    s.number("power", 2.0).range(0, 100).doc("exponent; above 1 the value falls fast at first");
    s.number("epochs").above(0).doc("length in epochs, fractions allowed; absent: the whole stage");
    declare_per_step(s);
  }
  double value(const Moment& m, const Params& p) override {
    const double from = start_value(m, p), to = p.number("to");
    const std::int64_t end = p.has("epochs") ? steps_of(p.number("epochs"), m) : m.steps();
    return to + (from - to) * std::pow(1.0 - fraction(clock_steps(m, p), 0, end), p.number("power"));
  }
};

}  // namespace kdhost::plugins
