// SPDX-License-Identifier: MIT
// kdhost.linear: a straight line between two values over the stage or over a window of it; ramps of weights,
// temperatures, learning rates.
#pragma once
#include "training_clock.hpp"

namespace kdhost::plugins {

struct LinearSchedule final : Scheduler {
  static void describe(Spec& s) {
    s.id("kdhost.linear").version("1.0.0").summary("a straight line from one value to another");
    s.source("PyTorch, torch.optim.lr_scheduler.LinearLR, closed form");
    s.details(
        "value(t) = from + (to - from) clip((t - start) / length, 0, 1), t in epochs.\n"
        "Over the whole stage the value `to` itself is reached where the stage ends, one step after the last.\n"
        "LinearLR(start_factor a, end_factor b, total_iters n), stepped once an epoch, is from = a lr, to = b lr, "
        "epochs = n,\n"
        "per = \"epoch\".");
    s.recipe(
        "[[schedule]]\ntarget = \"loss.kd.params.temperature\"\nuse    = \"kdhost.linear\"\n"
        "params = { from = 8.0, to = 2.0 }\n");
    declare_from(s);
    s.number("to", 0.0).doc("value at the end");
    s.number("start_epoch", 0.0).at_least(0).doc("epochs before the line begins; fractions are allowed");
    s.number("epochs").above(0).doc("length of the line in epochs, fractions allowed; absent: to the end of the stage");
    declare_per_step(s);
  }
  double value(const Moment& m, const Params& p) override {
    const double from = start_value(m, p);
    const std::int64_t begin = steps_of(p.number("start_epoch"), m);
    const std::int64_t end = p.has("epochs") ? begin + steps_of(p.number("epochs"), m) : m.steps();
    return from + (p.number("to") - from) * fraction(clock_steps(m, p), begin, end);
  }
};

}  // namespace kdhost::plugins
