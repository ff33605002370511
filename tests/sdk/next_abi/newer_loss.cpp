// SPDX-License-Identifier: MIT
// A loss for tests/sdk/next_abi.cmake: it uses a host function that ABI 1.1 of that test has and 1.0 has not.
#include <kdhost/plugin.hpp>
using namespace kdhost;

namespace {

struct Newer final : Loss {
  static void describe(Spec& s) {
    s.id("next.loss").version("1.0.0").summary("mean square, by a host function where there is one");
    s.number("scale", 2.0).doc("factor");
    s.input("student.logits").doc("[N, C]");
  }
  Tensor compute(const Call& c) override {
    const Tensor x = c["student.logits"];
    double added = 0.0;
#if KDHOST_TARGET_ABI >= 101
    added = detail::host->added_number(detail::host);
#endif
    return (x * x).mean() * c.number("scale") + added;
  }
};

}  // namespace

KDHOST_PLUGIN("next.plugin", "1.0.0", Newer)
