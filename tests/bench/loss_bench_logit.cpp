// SPDX-License-Identifier: MIT
// The losses on logits beside the same formulas written with LibTorch's operators, in the way in which the published
// codes write them.
#include <ATen/TensorIndexing.h>

#include <cmath>

#include "loss_bench.hpp"

namespace loss_bench {
namespace {

Tensor batch_kl(const Tensor& log_s, const Tensor& log_t) {
  return at::kl_div(log_s, log_t, at::Reduction::Sum, true) / samples(log_s);
}
Tensor soft_kl(const Tensor& s, const Tensor& t, double temperature) {
  return batch_kl(at::log_softmax(s / temperature, 1), at::log_softmax(t / temperature, 1)) *
         (temperature * temperature);
}
Tensor standardized(const Tensor& z) { return (z - z.mean(1, true)) / (z.std(1, true, true) + 1e-7); }

Tensor dkd(Given g) {
  const double temperature = 4.0, huge = 1000.0;
  const Tensor mask = at::zeros_like(g[0]).scatter(1, g[2].unsqueeze(1), 1);
  const auto binary = [&](const Tensor& p) {
    return at::concat({(p * mask).sum(1, true), (p * (1 - mask)).sum(1, true)}, 1);
  };
  const Tensor p_s = at::softmax(g[0] / temperature, 1), p_t = at::softmax(g[1] / temperature, 1);
  const Tensor target = at::kl_div(at::log(binary(p_s)), binary(p_t), at::Reduction::Sum);
  const Tensor rest = at::kl_div(at::log_softmax(g[0] / temperature - mask * huge, 1),
                                 at::softmax(g[1] / temperature - mask * huge, 1), at::Reduction::Sum);
  return (target + rest * 8.0) * (temperature * temperature / samples(g[0]));
}

Tensor pearson(const Tensor& x, const Tensor& y) {
  const Tensor a = x - x.mean(1, true), b = y - y.mean(1, true);
  return (a * b).sum(1) / (a.norm(2, 1) * b.norm(2, 1) + 1e-8);
}
Tensor dist(Given g) {
  const Tensor p_s = g[0].softmax(1), p_t = g[1].softmax(1);
  return (1 - pearson(p_s, p_t).mean()) + (1 - pearson(p_s.t(), p_t.t()).mean());
}

Tensor wsld(Given g) {
  const double temperature = 2.0;
  const Tensor soft = -(at::softmax(g[1] / temperature, 1) * at::log_softmax(g[0] / temperature, 1)).sum(1) *
                      (temperature * temperature);
  const auto of_label = [&](const Tensor& z) {
    return at::nll_loss(at::log_softmax(z.detach(), 1), g[2], {}, at::Reduction::None);
  };
  return ((1 - at::exp(-of_label(g[0]) / (of_label(g[1]) + 1e-7))) * soft).mean();
}

Tensor transformed(Given g, bool weighted) {
  const Tensor power = at::pow(g[1].softmax(1), 0.1);
  const Tensor sum = power.sum(1);
  const Tensor kl = at::kl_div(g[0].log_softmax(1), power / sum.unsqueeze(1), at::Reduction::None).sum(1);
  return weighted ? (sum * kl).mean() : kl.mean();
}

Tensor nkd(Given g) {
  const Tensor label = g[2].unsqueeze(1);
  const Tensor target = -(g[1].softmax(1).gather(1, label) * g[0].log_softmax(1).gather(1, label)).mean();
  const Tensor mask = at::ones_like(g[0]).scatter(1, label, 0).to(at::kBool);
  const auto others = [&](const Tensor& z) { return z.index({mask}).reshape({z.size(0), -1}); };
  return target - (others(g[1]).softmax(1) * others(g[0]).log_softmax(1)).sum(1).mean() * 1.5;
}

Tensor jensen(Given g, double beta) {
  const Tensor log_s = g[0].log_softmax(1), log_t = g[1].log_softmax(1);
  if (beta == 1.0) return batch_kl(log_t, log_s);
  const Tensor log_m = at::logsumexp(at::stack({log_t + std::log(beta), log_s + std::log1p(-beta)}), 0);
  return batch_kl(log_m, log_t) * beta + batch_kl(log_m, log_s) * (1 - beta);
}

Tensor skew(Given g, bool forward) {
  const double lambda = 0.1;
  const Tensor p_s = g[0].softmax(1), p_t = g[1].softmax(1);
  const Tensor &first = forward ? p_t : p_s, &second = forward ? p_s : p_t;
  const Tensor mixture = first * lambda + second * (1 - lambda);
  return (first * (at::log(first) - at::log(mixture))).sum(1).mean();
}

Tensor mft(Given g) {
  const Tensor label = g[2].unsqueeze(1);
  const Tensor p = g[1].softmax(1), p_y = p.gather(1, label);
  const auto [top, arg] = p.max(1, true);
  const Tensor wrong = (top - p_y + 0.2) / (1 + top - p_y + 1e-7);
  const Tensor right = (at::clamp_max(p_y + 0.2, 1.0) - top) / (1 - top + 1e-7);
  const Tensor mix = at::where(arg == label, right, wrong);
  const Tensor target = p * (1 - mix) + at::zeros_like(p).scatter(1, label, 1) * mix;
  return at::kl_div(g[0].log_softmax(1), target, at::Reduction::Sum) / samples(p);
}

Tensor multi_level(Given g) {
  Tensor sum = at::zeros({});
  for (const double temperature : {2.0, 3.0, 4.0, 5.0, 6.0}) {
    const Tensor p_s = at::softmax(g[0] / temperature, 1), p_t = at::softmax(g[1] / temperature, 1);
    sum = sum + soft_kl(g[0], g[1], temperature);
    sum = sum + at::pow(at::mm(p_s.t(), p_s) - at::mm(p_t.t(), p_t), 2).sum() / static_cast<double>(p_s.size(1));
    sum = sum + at::pow(at::mm(p_s, p_s.t()) - at::mm(p_t, p_t.t()), 2).sum() / samples(p_s);
  }
  return sum;
}

Tensor curriculum(Given g) {
  // The published layer starts at theta = 1; its gradient is reversed.
  const Tensor theta = at::ones({1}).requires_grad_();
  const Tensor temperature = at::sigmoid(theta * -1.0 + theta.detach() * 2.0) * 20.0 + 1.0;
  const Tensor log_s = at::log_softmax(g[0] / temperature, 1), p_t = at::softmax(g[1] / temperature, 1);
  return (at::kl_div(log_s, p_t, at::Reduction::Sum) / samples(g[0]) * temperature * temperature).sum();
}

Tensor ordered(const Tensor& p, double eps) {
  return ((p.unsqueeze(2) > p.unsqueeze(1) + eps) & (p.unsqueeze(1) > eps)).to(p.scalar_type());
}
Tensor ranking(Given g, bool hinge) {
  const double eps = hinge ? 1e-8 : 1e-9;
  const auto [p, index] = g[1].softmax(1).topk(10, 1);
  const Tensor pairs = ordered(p, eps);
  const auto differences = [](const Tensor& x) { return x.unsqueeze(2) - x.unsqueeze(1); };
  const Tensor terms = hinge ? at::relu(differences(p) - differences(g[0].softmax(1).gather(1, index)))
                             : at::softplus(-differences(g[0].gather(1, index)));
  return (terms * pairs).sum() / (pairs.sum() + eps);
}

Tensor sparse(Given g) {
  const auto [values, index] = g[1].topk(50, 1);
  const Tensor log_r = values.log_softmax(1), log_s = g[0].log_softmax(1).gather(1, index);
  return (log_r.exp() * (log_r - log_s)).sum() / samples(g[0]);
}

Tensor gated(Given g) {
  const Tensor sure = (g[1].softmax(1).amax(1) >= 0.5).to(at::kFloat);
  const Tensor kl =
      at::kl_div(at::log_softmax(g[0] / 4.0, 1), at::log_softmax(g[1] / 4.0, 1), at::Reduction::None, true).sum(1) *
      16.0;
  const Tensor hard = at::cross_entropy_loss(g[0], g[2], {}, at::Reduction::None);
  return (kl * sure + hard * (1 - sure)).mean();
}

// Student logits, label, middle layer. The head has numbers of its own, so the values differ a little.
Tensor self_distilled(Given g) {
  static const Tensor weight = at::empty({100, 64}).uniform_(-0.125, 0.125).requires_grad_();
  static const Tensor bias = at::zeros({100}).requires_grad_();
  if (weight.grad().defined()) weight.mutable_grad().reset();
  if (bias.grad().defined()) bias.mutable_grad().reset();
  const Tensor label = g[1].unsqueeze(1);
  const Tensor s = g[0].softmax(1), log_s = g[0].log_softmax(1), s_y = s.gather(1, label);
  const Tensor p = (s_y.square() + 1 - s_y.square().mean()).detach();
  const Tensor target = -(p * log_s.gather(1, label)).mean();
  const Tensor head = at::linear(g[2], weight, bias);
  const Tensor smoothed = at::zeros_like(s).scatter(1, label, 0.9) + 0.1 / 100;
  const Tensor weak = -(smoothed * head.log_softmax(1)).sum(1).mean();
  const Tensor w = head.softmax(1);
  const Tensor score = w / (1 - w.gather(1, label) + 1e-6) + s / (1 - s_y + 1e-6);
  const Tensor mask = at::ones_like(s).scatter(1, label, 0).to(at::kBool);
  const auto others = [&](const Tensor& x) { return x.index({mask}).reshape({x.size(0), -1}); };
  const Tensor place = others(score).argsort(1, true).argsort(1, false);
  const Tensor zipf = (1.0 / (place + 1).to(at::kFloat)).detach();
  const Tensor rest = -(zipf / zipf.sum(1, true) * others(g[0]).log_softmax(1)).sum(1).mean();
  return target + rest * 0.1 + weak * 0.005;
}

// Logits of both sides, then a map of each.
Tensor dist_of_maps(Given g) {
  const auto centred = [](const Tensor& x) { return x - x.mean(1, true); };
  const Tensor a = centred(g[2]), b = centred(g[3]);
  const Tensor channel = (a * b).sum(1) / (at::sqrt(a.square().sum(1) * b.square().sum(1)) + 1e-8);
  const Tensor s = g[2].sum(1).flatten(1).t(), t = g[3].sum(1).flatten(1).t();
  return dist(g) + (1 - channel.mean()) + (1 - pearson(s, t).mean());
}

S library_of(const S& id) {
  for (const char* own : {"ctkd", "dist_plus", "gated_kd", "mlkd", "uskd"})
    if (id == own) return "kdhost_losses_targets";
  for (const char* divergence :
       {"jsd", "reverse_kl", "skew_kl", "tvd", "ttm", "wttm", "sparse_kl", "hinge_ranking", "logistic_ranking"})
    if (id == divergence) return "kdhost_losses_divergence";
  return "kdhost_losses_logit";
}

}  // namespace

std::vector<Case> logit_cases() {
  const S small = "64x100", large = "512x32000";
  const auto pair = [](int64_t rows, int64_t classes) {
    return Inputs{{"student.logits", at::randn({rows, classes}) * 3},
                  {"teacher.logits", at::randn({rows, classes}) * 3}};
  };
  const Inputs logits = pair(64, 100);
  Inputs labelled = logits;
  labelled.emplace_back("batch.label", at::randint(100, {64}, at::kLong));
  std::vector<Case> cases;
  const auto add = [&](const S& id, const Settings& settings, const Inputs& inputs,
                       std::function<Tensor(Given)> composed, double bar = 1.0) {
    cases.push_back({library_of(id), "kdhost." + id, settings, small, inputs, std::move(composed), bar});
  };
  const auto kd = [](Given g) { return soft_kl(g[0], g[1], 4.0); };
  add("kd", {}, logits, kd, 1.5);
  add("logit_mse", {}, logits, [](Given g) { return at::mse_loss(g[0], g[1]); });
  add("dkd", {}, labelled, dkd, 1.5);
  add("dist", {}, logits, dist);
  add("lskd", {}, logits, [](Given g) { return soft_kl(standardized(g[0]), standardized(g[1]), 2.0); });
  add("wsld", {}, labelled, wsld);
  add("ttm", {}, logits, [](Given g) { return transformed(g, false); });
  add("wttm", {}, logits, [](Given g) { return transformed(g, true); });
  add("nkd", {}, labelled, nkd);
  add("jsd", {}, logits, [](Given g) { return jensen(g, 0.5); });
  add("reverse_kl", {}, logits, [](Given g) { return jensen(g, 1.0); });
  add("skew_kl", {}, logits, [](Given g) { return skew(g, true); });
  add("skew_kl", {{"direction", S("reverse")}}, logits, [](Given g) { return skew(g, false); });
  add("tvd", {}, logits, [](Given g) { return (g[1].softmax(1) - g[0].softmax(1)).abs().sum(1).mean() * 0.5; });
  add("logit_cosine", {}, logits, [](Given g) { return (1 - at::cosine_similarity(g[0], g[1], 1)).mean(); });
  add("mft", {}, labelled, mft);
  add("ctkd", {}, logits, curriculum);
  add("mlkd", {}, logits, multi_level);
  add("hinge_ranking", {{"top_k", 10.0}}, logits, [](Given g) { return ranking(g, true); });
  add("logistic_ranking", {{"top_k", 10.0}}, logits, [](Given g) { return ranking(g, false); });
  add("sparse_kl", {}, logits, sparse);
  add("gated_kd", {}, labelled, gated);

  add("uskd", {}, {logits[0], labelled[2], {"student.features", at::randn({64, 64})}}, self_distilled);
  cases.back().tolerance = 0.1;
  Inputs with_maps = logits;
  with_maps.emplace_back("student.features.0", at::randn({64, 64, 8, 8}));
  with_maps.emplace_back("teacher.features.0", at::randn({64, 64, 8, 8}));
  add("dist_plus", {}, with_maps, dist_of_maps);

  const Inputs vocabulary = pair(512, 32000);
  const auto add_large = [&](const S& id, std::function<Tensor(Given)> composed) {
    cases.push_back({library_of(id), "kdhost." + id, {}, large, vocabulary, std::move(composed), 4.0, 0.5});
  };
  add_large("kd", kd);
  add_large("reverse_kl", [](Given g) { return jensen(g, 1.0); });
  add_large("jsd", [](Given g) { return jensen(g, 0.5); });
  return cases;
}

}  // namespace loss_bench
