// SPDX-License-Identifier: MIT
// kdhost.adaptive: a value, usually a loss weight, that follows the student's validation performance: full help from
// the teacher while the student is weak, less as it comes near a target.
#pragma once
#include "training_clock.hpp"

namespace kdhost::plugins {

struct AdaptiveSchedule final : Scheduler {
  static void describe(Spec& s) {
    s.id("kdhost.adaptive").version("1.0.0").summary("moves from one value to another as validation nears a target");
    s.source("our own definition; no published code is followed");
    s.details(
        "v_i: validation values of the experiment's first metric, oldest first.\n"
        "a_0 = v_0,  a_i = smoothing a_(i-1) + (1 - smoothing) v_i         (moving average)\n"
        "f = clip((a_last - begin) / (target - begin), 0, 1)               (0 before the first validation)\n"
        "value = from + (to - from) f^power\n"
        "`begin` absent: v_0. At or past the target f is 1, whatever `begin` is. It works for metrics where lower is "
        "better,\n"
        "too: target is then below begin. The value moves back when validation falls.");
    s.recipe(
        "[[schedule]]\ntarget = \"loss.kd.weight\"\nuse    = \"kdhost.adaptive\"\n"
        "params = { to = 0.1, begin = 0.5, target = 0.9 }\n");
    declare_from(s);
    s.number("to", 0.0).doc("value once validation has reached the target");
    s.number("begin").doc("validation value at which the change begins; absent: the first one measured");
    s.number("target").required().doc("validation value at which the change is complete");
    s.number("smoothing", 0.0)
        .at_least(0)
        .below(1)
        .doc("share of the old moving average; 0 follows the last value alone");
    s.number("power", 1.0).above(0).doc("above 1 the value moves late, below 1 early");
  }

  double value(const Moment& m, const Params& p) override {
    const double from = start_value(m, p);
    const double target = p.number("target");
    const bool higher = m.higher_is_better();
    if (p.has("begin")) check_direction(p.number("begin"), target, higher);
    if (m.history_size() == 0) return from;
    const double begin = p.number_or("begin", m.history(0));
    const double keep = p.number("smoothing");
    double average = m.history(0);
    for (std::size_t i = 1; i < m.history_size(); ++i) average = keep * average + (1.0 - keep) * m.history(i);
    return from + (p.number("to") - from) * std::pow(share(average, begin, target, higher), p.number("power"));
  }

 private:
  static double share(double now, double begin, double target, bool higher) {
    if (higher ? now >= target : now <= target) return 1.0;
    if (higher ? begin >= target : begin <= target) return 0.0;  // began past the target and fell back behind it
    const double f = (now - begin) / (target - begin);
    return f > 0.0 ? std::min(f, 1.0) : 0.0;  // not-a-number gives 0
  }
  static void check_direction(double begin, double target, bool higher) {
    if (higher ? begin < target : begin > target) return;
    throw std::invalid_argument("parameter 'begin' is " + std::to_string(begin) + " and 'target' is " +
                                std::to_string(target) + "; expected begin " + (higher ? "<" : ">") +
                                " target, since the first metric is better when " + (higher ? "higher" : "lower") +
                                ". Swap the two, or put another metric first.");
  }
};

}  // namespace kdhost::plugins
