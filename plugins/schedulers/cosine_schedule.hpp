// SPDX-License-Identifier: MIT
// kdhost.cosine: half a cosine from one value down to another, after a linear warm-up.
#pragma once
#include "training_clock.hpp"

namespace kdhost::plugins {

struct CosineSchedule final : Scheduler {
  static void describe(Spec& s) {
    s.id("kdhost.cosine").version("1.0.0").summary("half a cosine from one value to another, with linear warm-up");
    s.source(
        "Loshchilov, Hutter 2017, SGDR, arXiv 1608.03983, equation 5, without restarts; PyTorch's CosineAnnealingLR, "
        "closed\n"
        "form. Warm-up: Goyal et al. 2017, arXiv 1706.02677, section 2.2");
    s.details(
        "t < w:  value(t) = warmup_from + (from - warmup_from) t / w\n"
        "else:   value(t) = to + (from - to) (1 + cos(pi (t - w) / (T - w))) / 2\n"
        "t and w (warmup_epochs) in epochs, T the length of the stage. With per = \"epoch\" and no warm-up these are "
        "the values\n"
        "of CosineAnnealingLR(T_max = epochs, eta_min = to) stepped once an epoch. Warm-up always moves step by step.");
    s.recipe("[[schedule]]\ntarget = \"optimizer.lr\"\nuse    = \"kdhost.cosine\"\nparams = { warmup_epochs = 1 }\n");
    declare_from(s);
    s.number("to", 0.0).doc("value that the stage ends at");
    s.number("warmup_epochs", 0.0).at_least(0).doc("length of the warm-up in epochs; fractions are allowed");
    s.number("warmup_from", 0.0).doc("value at the first step of the warm-up");
    declare_per_step(s);
  }
  double value(const Moment& m, const Params& p) override {
    const double from = start_value(m, p), to = p.number("to");
    const std::int64_t warm = steps_of(p.number("warmup_epochs"), m);
    if (m.step() < warm) {
      const double start = p.number("warmup_from");
      return start + (from - start) * fraction(m.step(), 0, warm);
    }
    constexpr double kPi = 3.14159265358979323846;
    return to + (from - to) * (1.0 + std::cos(kPi * fraction(clock_steps(m, p), warm, m.steps()))) / 2.0;
  }
};

}  // namespace kdhost::plugins
