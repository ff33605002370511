// SPDX-License-Identifier: MIT
// The losses between relations, of embeddings and of sequences beside the same formulas written with LibTorch's
// operators, in the way in which the published codes write them.
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "loss_bench.hpp"

namespace loss_bench {
namespace {

Tensor rows(const Tensor& x) { return x.reshape({x.size(0), -1}); }
Tensor unit(const Tensor& x, double order = 2.0) { return x / x.norm(order, 1, true).clamp_min(1e-12); }

Tensor sp(Given g, double order) {
  const auto similarity = [&](const Tensor& x) { return unit(rows(x).matmul(rows(x).t()), order); };
  return (similarity(g[0]) - similarity(g[1])).square().sum() / (samples(g[0]) * samples(g[0]));
}

Tensor rkd(Given g) {
  const auto distances = [](const Tensor& e) {
    const Tensor squares = e.square().sum(1), products = e.matmul(e.t());
    const Tensor d = (squares.unsqueeze(1) + squares.unsqueeze(0) - 2 * products).clamp_min(1e-12).sqrt();
    const Tensor apart = d * (1 - at::eye(e.size(0), e.options()));
    return apart / apart.masked_select(apart > 0).mean();
  };
  const auto angles = [](const Tensor& e) {
    const Tensor v = e.unsqueeze(0) - e.unsqueeze(1);
    const Tensor u = v / v.norm(2, 2, true).clamp_min(1e-12);
    return u.bmm(u.transpose(1, 2)).reshape({-1});
  };
  Tensor t_d, t_a;
  {
    const at::NoGradGuard off;
    t_d = distances(g[1]);
    t_a = angles(g[1]);
  }
  return 25 * at::smooth_l1_loss(distances(g[0]), t_d) + 50 * at::smooth_l1_loss(angles(g[0]), t_a);
}

Tensor pkt(Given g) {
  const auto probabilities = [](const Tensor& e) {
    const Tensor x = e / (e.norm(2, 1, true) + 1e-7);
    const Tensor similarity = (x.matmul(x.t()) + 1) / 2;
    return similarity / similarity.sum(1, true);
  };
  const Tensor s = probabilities(g[0]), t = probabilities(g[1]);
  return (t * at::log((t + 1e-7) / (s + 1e-7))).mean();
}

Tensor cc(Given g) {
  const Tensor delta = (g[0] - g[1]).abs();
  return (delta.slice(0, 0, -1) * delta.slice(0, 1)).sum(1).mean();
}

Tensor gram(Given g, bool spatial) {
  const auto matrix = [&](const Tensor& x) {
    const Tensor f = x.flatten(2);
    return spatial ? f.transpose(1, 2).bmm(f) / static_cast<double>(f.size(1))
                   : f.bmm(f.transpose(1, 2)) / static_cast<double>(f.size(2));
  };
  return at::mse_loss(matrix(g[0]), matrix(g[1]));
}

Tensor affinity(Given g) {
  const auto alike = [](const Tensor& f) {
    const Tensor norm = ((f * f).sum(1, true).sqrt() + 1e-8).detach();
    const Tensor x = (f / norm).flatten(2);
    return at::einsum("icm,icn->imn", {x, x});
  };
  return (alike(g[1]) - alike(g[0])).square().sum() / static_cast<double>(g[0].size(2) * g[0].size(3)) /
         static_cast<double>(g[0].size(2) * g[0].size(3)) / samples(g[0]);
}

Tensor hidden_cosine(Given g) { return (1 - at::cosine_similarity(g[0], g[1], 2)).mean(); }
Tensor attention_ce(Given g) {
  const Tensor weights = at::where(g[1] <= -1e-3, at::zeros_like(g[1]), g[1].softmax(-1));
  return -(weights * g[0].log_softmax(-1)).sum(-1).mean();
}

Tensor flow(Given g) {
  const auto product = [](const Tensor& a, const Tensor& b) {
    return (a.flatten(2).unsqueeze(2) * b.flatten(2).unsqueeze(1)).mean(-1);
  };
  return (product(g[0], g[1]) - product(g[2], g[3])).pow(2).mean();
}

Inputs pair(at::IntArrayRef shape, bool list = true) {
  const auto made = [&](uint64_t seed) {
    return kdhost::test::generated(shape.vec(), seed).to(at::kFloat).relu() + 0.1;
  };
  const std::string port = list ? ".features.0" : ".logits";
  return {{"student" + port, made(1)}, {"teacher" + port, made(2)}};
}

}  // namespace

std::vector<Case> relation_cases() {
  const std::string relation = "kdhost_losses_relation", sequence = "kdhost_losses_sequence";
  const Inputs maps = pair({64, 256, 8, 8}), embeddings = pair({64, 256}), hidden = pair({32, 128, 256});
  const Settings none{{"adaptor", S("none")}};
  return {
      {relation, "kdhost.sp", {}, "64x256x8x8", maps, [](Given g) { return sp(g, 2); }, 1.5},
      {relation, "kdhost.sp", {{"variant", S("torchdistill")}}, "64x256x8x8", maps, [](Given g) { return sp(g, 1); }},
      {relation, "kdhost.sp", {}, "64x256", embeddings, [](Given g) { return sp(g, 2); }, 1.5},
      {relation, "kdhost.rkd", {}, "64x256", embeddings, rkd, 1.5},
      {relation, "kdhost.rkd", {}, "64x64", pair({64, 64}), rkd, 1.5},
      {relation, "kdhost.rkd", {}, "256x64", pair({256, 64}), rkd, 1.5},
      {relation, "kdhost.pkt", {}, "64x256", embeddings, pkt},
      {relation, "kdhost.cc", none, "64x256", embeddings, cc},
      {relation, "kdhost.gram", {}, "64x256x8x8", maps, [](Given g) { return gram(g, false); }},
      {relation, "kdhost.gram", {{"mode", S("spatial")}}, "64x256x8x8", maps, [](Given g) { return gram(g, true); }},
      {relation, "kdhost.affinity", {{"window", 0.0}}, "64x256x8x8", maps, affinity},
      {relation, "kdhost.fsp", {}, "2 of 64x64x8x8", taps({{64, 64, 8, 8}, {64, 64, 8, 8}}), flow},
      {sequence, "kdhost.hid_cosine", {}, "32x128x256", hidden, hidden_cosine},
      {sequence, "kdhost.att_ce", {}, "32x4x64x64", pair({32, 4, 64, 64}), attention_ce},
  };
}

}  // namespace loss_bench
