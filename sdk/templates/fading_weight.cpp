// SPDX-License-Identifier: MIT
// An adaptive scheduler: the value of the file fades as the student's validation values come near a goal. The history
// is an argument like the step, so the scheduler keeps no state and a resumed run repeats it.
#include <kdhost/plugin.hpp>

#include <algorithm>
using namespace kdhost;

namespace {

struct FadingWeight final : Scheduler {
  static void describe(Spec& s) {
    s.id("example.fading_weight").version("1.0.0").summary("base * share of the way that is left to a goal");
    s.number("goal").required().doc("value of the first metric at which nothing is left");
    s.number("least", 0.0).range(0.0, 1.0).doc("smallest share");
  }
  double value(const Moment& m, const Params& p) override {
    if (m.history_size() < 2) return m.base();
    const double first = m.history(0), last = m.history(m.history_size() - 1), goal = p.number("goal");
    if (m.higher_is_better() ? first >= goal : first <= goal) return m.base() * p.number("least");
    return m.base() * std::clamp((goal - last) / (goal - first), p.number("least"), 1.0);
  }
};

}  // namespace

KDHOST_PLUGIN("example.fading_weight", "1.0.0", FadingWeight)
