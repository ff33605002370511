// SPDX-License-Identifier: MIT
#include <kdhost/plugin.hpp>
#include <cmath>
using namespace kdhost;

struct Polynomial final : Scheduler {
  static void describe(Spec& s) {
    s.id("example.polynomial").version("1.0.0").summary("from → to along (1 - progress)^power");
    s.number("from", 1.0);
    s.number("to", 0.0);
    s.number("power", 2.0).range(0.0, 10.0);
  }
  double value(const Moment& m, const Params& p) override {
    return p.number("to") + (p.number("from") - p.number("to")) * std::pow(1.0 - m.progress(), p.number("power"));
  }
};

KDHOST_PLUGIN("example.schedulers", "1.0.0", Polynomial)
