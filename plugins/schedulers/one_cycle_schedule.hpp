// SPDX-License-Identifier: MIT
// kdhost.one_cycle: up to a peak, then far below the start, in one cycle over the stage.
#pragma once
#include "training_clock.hpp"

namespace kdhost::plugins {

struct OneCycleSchedule final : Scheduler {
  static void describe(Spec& s) {
    s.id("kdhost.one_cycle").version("1.0.0").summary("up to a peak and down to almost nothing, once in a stage");
    s.source(
        "Smith, Topin 2018, Super-Convergence, arXiv 1708.07120; PyTorch, torch.optim.lr_scheduler.OneCycleLR, closed "
        "form");
    s.details(
        "start = peak / div_factor, end = start / final_div_factor, S the steps of the stage, a = pct_start S - 1.\n"
        "step <= a:  start -> peak over [0, a];   else peak -> end over [a, S - 1]\n"
        "three_phase: start -> peak over [0, a], peak -> start over [a, 2a], start -> end over [2a, S - 1], with 2a "
        "read as\n"
        "2 pct_start S - 2. Between two values cos: v + (u - v) (1 + cos(pi f)) / 2; linear: u + (v - u) f.\n"
        "The last step has the end value.");
    s.recipe("[[schedule]]\ntarget = \"optimizer.lr\"\nuse    = \"kdhost.one_cycle\"\nparams = { peak = 0.1 }\n");
    s.number("peak").doc("highest value; absent: the value written in the experiment");
    s.number("pct_start", 0.3).range(0, 1).doc("share of the stage that rises");
    s.number("div_factor", 25.0).above(0).doc("peak / value at the start");
    s.number("final_div_factor", 1e4).above(0).doc("value at the start / value at the end");
    s.choice("anneal", {"cos", "linear"}).doc("shape of the way between two values");
    s.flag("three_phase", false).doc("back to the start value first, as steeply as it rose, then to the end value");
  }

  double value(const Moment& m, const Params& p) override {
    const double peak = p.number_or("peak", m.base());
    const double start = peak / p.number("div_factor");
    const double end = start / p.number("final_div_factor");
    const double rise = p.number("pct_start") * static_cast<double>(m.steps()) - 1.0;
    const double last = static_cast<double>(m.steps()) - 1.0;
    const double now = static_cast<double>(m.step());
    const bool cosine = p.text("anneal") == "cos";
    if (now <= rise) return between(start, peak, now, 0.0, rise, cosine);
    if (!p.flag("three_phase")) return between(peak, end, now, std::max(rise, 0.0), last, cosine);
    const double back = 2.0 * p.number("pct_start") * static_cast<double>(m.steps()) - 2.0;
    if (now <= back) return between(peak, start, now, std::max(rise, 0.0), back, cosine);
    return between(start, end, now, std::max(back, 0.0), last, cosine);
  }

 private:
  static double between(double u, double v, double now, double begin, double end, bool cosine) {
    const double f = end > begin ? std::clamp((now - begin) / (end - begin), 0.0, 1.0) : 1.0;
    constexpr double kPi = 3.14159265358979323846;
    return cosine ? v + (u - v) * (1.0 + std::cos(kPi * f)) / 2.0 : u + (v - u) * f;
  }
};

}  // namespace kdhost::plugins
