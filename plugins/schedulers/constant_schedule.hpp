// SPDX-License-Identifier: MIT
// kdhost.constant: one value for the whole stage; useful where a stage inherits a schedule and wants it switched off.
#pragma once
#include "training_clock.hpp"

namespace kdhost::plugins {

struct ConstantSchedule final : Scheduler {
  static void describe(Spec& s) {
    s.id("kdhost.constant").version("1.0.0").summary("the same value at every step");
    s.details("value(t) = value");
    s.recipe("[[schedule]]\ntarget = \"loss.kd.weight\"\nuse    = \"kdhost.constant\"\nparams = { value = 0.5 }\n");
    s.number("value").doc("the value; absent: the value written in the experiment");
  }
  double value(const Moment& m, const Params& p) override { return p.number_or("value", m.base()); }
};

}  // namespace kdhost::plugins
