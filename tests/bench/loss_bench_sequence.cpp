// SPDX-License-Identifier: MIT
// The losses of sequences and the task terms beside the functions that a script would call.
#include "loss_bench.hpp"

namespace loss_bench {
namespace {

Tensor masked(Given g) {
  const Tensor kl =
      at::kl_div(at::log_softmax(g[0] / 4.0, 2), at::softmax(g[1] / 4.0, 2), at::Reduction::None).sum(2) * 16.0;
  return (kl * g[2]).sum() / g[2].sum();
}

Tensor focal(Given g) {
  const Tensor entropy = at::cross_entropy_loss(g[0], g[1], {}, at::Reduction::None);
  return ((1.0 - at::exp(-entropy)).pow(2.0) * entropy).mean();
}

}  // namespace

std::vector<Case> sequence_cases() {
  at::manual_seed(12);
  const S sequence = "kdhost_losses_sequence";
  const Settings none{{"adaptor", S("none")}};
  const Tensor mask = (at::rand({32, 128}) > 0.3).to(at::kFloat);
  return {
      {sequence, "kdhost.hid_mse", none, "32x128x256", taps({{32, 128, 256}}),
       [](Given g) { return at::mse_loss(g[0], g[1]); }},
      {sequence, "kdhost.patient", none, "32x128x256", taps({{32, 128, 256}}),
       [](Given g) {
         return (normalised(g[0].select(1, 0), 1) - normalised(g[1].select(1, 0), 1)).pow(2).sum() / samples(g[0]);
       }},
      {sequence,
       "kdhost.att_mse",
       {},
       "32x4x64x64",
       taps({{32, 4, 64, 64}}),
       [](Given g) {
         const auto kept = [](const Tensor& a) { return at::where(a <= -1e-3, at::zeros_like(a), a); };
         return at::mse_loss(kept(g[0]), kept(g[1]));
       }},
      {sequence,
       "kdhost.masked_kd",
       {},
       "32x128x100",
       {{"student.logits", at::randn({32, 128, 100})},
        {"teacher.logits", at::randn({32, 128, 100})},
        {"batch.mask", mask}},
       masked},
  };
}

std::vector<Case> task_cases() {
  at::manual_seed(13);
  const S task = "kdhost_losses_supervised";
  const Tensor z = at::randn({64, 100});
  const Inputs logits{{"student.logits", z}, {"batch.label", at::randint(0, 100, {64}, at::kLong)}};
  const Inputs numbers{{"student.logits", z}, {"batch.label", at::randn({64, 100})}};
  const Inputs answers{{"student.logits", z}, {"batch.label", at::rand({64, 100}).round()}};
  return {
      {task, "kdhost.cross_entropy", {}, "64x100", logits, [](Given g) { return at::cross_entropy_loss(g[0], g[1]); }},
      {task, "kdhost.focal", {}, "64x100", logits, focal},
      {task,
       "kdhost.bce",
       {},
       "64x100",
       answers,
       [](Given g) { return at::binary_cross_entropy_with_logits(g[0], g[1]); }},
      {task, "kdhost.mse", {}, "64x100", numbers, [](Given g) { return at::mse_loss(g[0], g[1]); }},
      {task, "kdhost.smooth_l1", {}, "64x100", numbers, [](Given g) { return at::smooth_l1_loss(g[0], g[1]); }},
  };
}

}  // namespace loss_bench
