// SPDX-License-Identifier: MIT
// A loss with parts of its own: a linear layer from the student's width to the teacher's, trained with the student, and
// a running mean of the teacher's features. Both sides are centred by the mean before their directions are compared.
#include <kdhost/plugin.hpp>
using namespace kdhost;

namespace {

struct CentredCosine final : Loss {
  static void describe(Spec& s) {
    s.id("example.centred_cosine").version("1.0.0").summary("angle between centred features, after a projection");
    s.details("mean over N of 1 - cos(A(f_s) - m, f_t - m); m <- momentum m + (1 - momentum) mean(f_t)");
    s.number("momentum", 0.9).at_least(0.0).below(1.0).doc("share of the old mean that is kept").schedulable();
    s.input("student.feature").doc("[N, D]");
    s.input("teacher.feature").doc("[N, E]");
  }

  CentredCosine(const Params&, const Ports& ports, Builder& b)
      : projection_(b.linear("projection", ports.size("student.feature", 1), ports.size("teacher.feature", 1))),
        mean_(b.buffer("mean", {ports.size("teacher.feature", 1)}, Init::zeros())) {}

  Tensor compute(const Call& c) override {
    const Tensor student = projection_(c, c["student.feature"]), teacher = c["teacher.feature"];
    const Tensor mean = c.part(mean_);
    const double keep = c.number("momentum");
    // Copied in after backward, so this step still sees the old mean.
    c.write(mean_, mean * keep + teacher.mean(0) * (1.0 - keep));
    const Tensor a = student - mean, b = teacher - mean;
    const Tensor lengths = sqrt((a * a).sum(1)) * sqrt((b * b).sum(1));
    return (1.0 - (a * b).sum(1) / clamp_min(lengths, 1e-8)).mean();
  }

 private:
  nn::Linear projection_;
  Slot mean_;
};

}  // namespace

KDHOST_PLUGIN("example.trained_projection", "1.0.0", CentredCosine)
