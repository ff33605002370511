// SPDX-License-Identifier: MIT
// A loss of the exact tier: LibTorch called directly. The host loads it and compares it with the portable kl_div.
#include <kdhost/exact.hpp>

namespace {

struct ExactKl final : kdhost::Loss {
  static void describe(kdhost::Spec& s) {
    s.id("test.exact_kl").version("1.0.0").summary("KL divergence of softened class probabilities, in LibTorch");
    s.number("temperature", 4.0).above(0.0).schedulable();
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
  }
  kdhost::Tensor compute(const kdhost::Call& c) override {
    const double t = c.number("temperature");
    const at::Tensor student = at::log_softmax(kdhost::unwrap(c["student.logits"]) / t, 1);
    const at::Tensor teacher = at::log_softmax(kdhost::unwrap(c["teacher.logits"]) / t, 1);
    const at::Tensor sum = at::kl_div(student, teacher, at::Reduction::Sum, /*log_target=*/true);
    return kdhost::wrap(sum / static_cast<double>(student.size(0)) * (t * t));
  }
};

}  // namespace

KDHOST_PLUGIN("test.exact", "1.0.0", ExactKl)
