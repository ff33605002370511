// SPDX-License-Identifier: MIT
// kdhost.plateau: the value falls whenever validation has stopped improving. It replays the whole validation history at
// each call, so it keeps no state and a resumed run goes on exactly.
#pragma once
#include "training_clock.hpp"

namespace kdhost::plugins {

struct PlateauSchedule final : Scheduler {
  static void describe(Spec& s) {
    s.id("kdhost.plateau").version("1.0.0").summary("times a factor when validation stops improving");
    s.source("PyTorch, torch.optim.lr_scheduler.ReduceLROnPlateau (its eps, which skips changes below 1e-8, left out)");
    s.details(
        "Follows the validation values of the experiment's first metric, oldest first. A value is better when it beats "
        "the best\n"
        "so far by the threshold: relative v > b (1 + threshold), for a metric where lower is better v < b (1 - "
        "threshold);\n"
        "absolute v > b + threshold or v < b - threshold. After more than `patience` values in a row that are not "
        "better, the\n"
        "value is max(value factor, min) and `cooldown` values are not counted. A value that is not a number is not "
        "better.\n"
        "A run without validation samples is refused.");
    s.recipe(
        "[[schedule]]\ntarget = \"optimizer.lr\"\nuse    = \"kdhost.plateau\"\nparams = { factor = 0.5, patience = 3 "
        "}\n");
    declare_from(s);
    s.number("factor", 0.1).above(0).below(1).doc("the factor");
    s.integer("patience", 10).at_least(0).doc("validations without improvement that are borne");
    s.number("threshold", 1e-4).at_least(0).doc("what counts as an improvement");
    s.choice("threshold_mode", {"rel", "abs"}).doc("threshold as a share of the best value, or as a difference");
    s.integer("cooldown", 0).at_least(0).doc("validations after a change that do not count against it");
    s.number("min", 0.0).doc("the value never falls below this");
  }

  double value(const Moment& m, const Params& p) override {
    const double factor = p.number("factor"), threshold = p.number("threshold"), least = p.number("min");
    const std::int64_t patience = p.integer("patience"), cooldown = p.integer("cooldown");
    const bool relative = p.text("threshold_mode") == "rel", higher = m.higher_is_better();
    const double sign = higher ? 1.0 : -1.0;
    double now = start_value(m, p);
    double best = -sign * std::numeric_limits<double>::infinity();
    std::int64_t bad = 0, cooling = 0;
    for (std::size_t i = 0; i < m.history_size(); ++i) {
      const double v = m.history(i);
      const double bar = std::isinf(best) || !relative ? best + sign * threshold : best * (1.0 + sign * threshold);
      if (higher ? v > bar : v < bar) {
        best = v;
        bad = 0;
      } else {
        ++bad;
      }
      if (cooling > 0) {
        --cooling;
        bad = 0;
      }
      if (bad > patience) {
        // A value that starts below the minimum stays where it is.
        now = std::min(now, std::max(now * factor, least));
        cooling = cooldown;
        bad = 0;
      }
    }
    return now;
  }
};

}  // namespace kdhost::plugins
