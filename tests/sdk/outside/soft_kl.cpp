// SPDX-License-Identifier: MIT
#include <kdhost/plugin.hpp>
using namespace kdhost;

struct SoftKl final : Loss {
  static void describe(Spec& s) {
    s.id("example.soft_kl").version("1.0.0").summary("KL divergence of softened class probabilities");
    s.number("temperature", 4.0).range(0.1, 100.0).doc("softmax temperature of both sides").schedulable();
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
  }
  Tensor compute(const Call& c) override {
    double T = c.number("temperature");
    Tensor s = log_softmax(c["student.logits"] / T, 1);
    Tensor t = log_softmax(c["teacher.logits"] / T, 1);
    return kl_div(s, t, Reduction::batchmean, /*log_target=*/true) * (T * T);
  }
};

KDHOST_PLUGIN("example", "1.0.0", SoftKl)
