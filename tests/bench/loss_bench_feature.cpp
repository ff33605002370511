// SPDX-License-Identifier: MIT
// The losses between hidden layers beside the same formulas written with LibTorch's operators, in the way in which the
// published codes write them, without adaptors. Exception: nst, whose published form makes 4 GiB of products at this
// size; here it is a batched matrix product as well.

#include "loss_bench.hpp"

namespace loss_bench {
namespace {

Tensor mse(const Tensor& a, const Tensor& b) { return at::mse_loss(a, b); }
Tensor unit(const Tensor& x, int64_t dim = 1) { return x / x.norm(2, dim, true).clamp_min(1e-12).expand_as(x); }
Tensor activity(const Tensor& f) { return unit(f.pow(2).mean(1).view({f.size(0), -1})); }

Tensor nst(Given g) {
  const Tensor s = unit(g[0].flatten(2), 2), t = unit(g[1].flatten(2), 2);
  const auto kernel = [](const Tensor& a, const Tensor& b) { return at::bmm(a, b.transpose(1, 2)).pow(2).mean(); };
  return kernel(t, t).detach() + kernel(s, s) - 2 * kernel(s, t);
}

Tensor ab(Given g) {
  const Tensor &s = g[0], &t = g[1];
  const Tensor off = (s.gt(-1.0) & t.le(0.0)).to(s.scalar_type()), on = (s.le(1.0) & t.gt(0.0)).to(s.scalar_type());
  return ((s + 1.0).pow(2) * off + (s - 1.0).pow(2) * on).abs().sum() / samples(s) * 0.003;
}

Tensor ofd(Given g) {
  const Tensor &s = g[0], &t = g[1];
  const Tensor margin = at::full({1, 1, 1, 1}, -0.5, s.options());
  const auto when = [&](const Tensor& mask) { return mask.to(s.scalar_type()); };
  const Tensor loss = (s - margin).pow(2) * when((s > margin) & (t <= margin)) +
                      (s - t).pow(2) * when((s > t) & (t > margin) & (t <= 0)) + (s - t).pow(2) * when(t > 0);
  return loss.abs().mean(0).sum();
}

Tensor review(Given g) {
  Tensor value = mse(g[0], g[1]);
  double weight = 1, total = 1;
  for (const int64_t level : {4, 2, 1}) {
    weight /= 2;
    total += weight;
    value = value +
            mse(at::adaptive_avg_pool2d(g[0], {level, level}), at::adaptive_avg_pool2d(g[1], {level, level})) * weight;
  }
  return value / total;
}

Tensor cwd(Given g) {
  const auto rows = [](const Tensor& x) { return x.reshape({-1, x.size(2) * x.size(3)}); };
  const Tensor p_t = at::softmax(rows(g[1]), 1);
  return (p_t * at::log_softmax(rows(g[1]), 1) - p_t * at::log_softmax(rows(g[0]), 1)).sum() /
         (samples(g[0]) * static_cast<double>(g[0].size(1)));
}

Tensor pkd(Given g) {
  const auto standardised = [](const Tensor& f) {
    const Tensor rows = f.permute({1, 0, 2, 3}).reshape({f.size(1), -1});
    const Tensor z = (rows - rows.mean(-1, true)) / (rows.std(-1, true, true) + 1e-6);
    return z.reshape({f.size(1), f.size(0), f.size(2), f.size(3)}).permute({1, 0, 2, 3});
  };
  return mse(standardised(g[0]), standardised(g[1])) / 2;
}

Tensor class_attention(Given g) {
  const auto pooled = [](const Tensor& x) { return unit(at::adaptive_avg_pool2d(x, {2, 2}).flatten(2), 2); };
  return mse(pooled(g[0]), pooled(g[1]));
}

Tensor ickd(Given g) {
  const auto correlation = [](const Tensor& x) {
    const Tensor f = x.flatten(2);
    return unit(at::bmm(f, f.permute({0, 2, 1})), 2);
  };
  const Tensor d = correlation(g[0]) - correlation(g[1]);
  return (d * d).view({g[0].size(0), -1}).sum() / (static_cast<double>(g[0].size(1)) * samples(g[0]) * samples(g[0]));
}

Tensor srd(Given g) {
  const Tensor soft = at::kl_div(g[2].log_softmax(1), g[3].softmax(1), at::Reduction::Sum) / samples(g[2]);
  return at::log((g[0] - g[1]).abs().pow(4.0).sum()) * 2 + soft;
}

Tensor ktaad(Given g) {
  const auto scaled = [](const Tensor& x) { return x.flatten(1) / x.flatten(1).norm(2, 1).unsqueeze(1); };
  const auto channels = [](const Tensor& x) { return x.flatten(2) / x.flatten(2).norm(2, 2).unsqueeze(-1); };
  const Tensor u = channels(g[0]), v = channels(g[1]);
  const auto square = [](const Tensor& x, int64_t i) {
    return at::bmm(x.select(1, i).unsqueeze(2), x.select(1, i).unsqueeze(1));
  };
  Tensor sum = at::zeros({g[0].size(0)}, g[0].options());
  for (int64_t i = 0; i < u.size(1); ++i)
    sum = sum + ((square(u, i) - square(v, i)) / static_cast<double>(u.size(2))).norm(2, at::IntArrayRef{1, 2});
  return at::l1_loss(scaled(g[0]), scaled(g[1])) * 50 + sum.mean();
}

// RepDistiller: SVD of [N, HW, C], the first vector of the teacher, the student's most alike, a radial function between
// consecutive taps.
Tensor singular_vectors(Given g) {
  const auto align = [](const Tensor& s, const Tensor& t) {
    const auto rows = [](const Tensor& x) { return x.flatten(2).transpose(1, 2); };
    const auto of_t = at::linalg_svd(rows(t), false), of_s = at::linalg_svd(rows(s), false);
    const Tensor v_t = std::get<2>(of_t).narrow(1, 0, 1).transpose(1, 2);
    const Tensor v_s = std::get<2>(of_s).narrow(1, 0, 4).transpose(1, 2);
    const Tensor cosine = v_s.transpose(1, 2).bmm(v_t);
    const Tensor best = cosine.abs().argmax(1, true);
    const Tensor sign = cosine.gather(1, best).sign().detach();
    const Tensor strength = normalised(std::get<1>(of_t).narrow(1, 0, 1), 1).unsqueeze(1);
    return std::pair{v_s.gather(2, best.expand({-1, v_s.size(1), -1})) * sign * strength, v_t * strength};
  };
  const auto change = [](const Tensor& a, const Tensor& b) {
    return at::exp(-(a.unsqueeze(2) - b.unsqueeze(1)).pow(2) / 8.0);
  };
  const auto [s0, t0] = align(g[0], g[2]);
  const auto [s1, t1] = align(g[1], g[3]);
  return (change(s0, s1) - change(t0, t1)).pow(2).sum() / samples(g[0]);
}

}  // namespace

std::vector<Case> feature_cases() {
  at::manual_seed(6);
  const auto maps = [](const std::vector<int64_t>& shape) {
    return Inputs{{"student.features.0", at::randn(shape)}, {"teacher.features.0", at::randn(shape)}};
  };
  const S shape = "64x256x8x8";
  const Settings none{{"adaptor", S("none")}};
  std::vector<Case> cases;
  const auto add = [&](const S& library, const S& id, Settings settings, auto composed, double bar = 1.0) {
    cases.push_back(
        {"kdhost_losses_" + library, id, std::move(settings), shape, maps({64, 256, 8, 8}), std::move(composed), bar});
  };
  add(
      "feature", "kdhost.attention", {}, [](Given g) { return (activity(g[0]) - activity(g[1])).pow(2).mean(); }, 1.5);
  add(
      "feature", "kdhost.attention", {{"variant", S("paper")}},
      [](Given g) { return (activity(g[0]) - activity(g[1])).norm(2, 1).mean(); }, 1.5);
  add("feature", "kdhost.nst", {}, nst);
  add("feature", "kdhost.cwd", {}, cwd);
  add("feature", "kdhost.pkd", {}, pkd);
  add("feature", "kdhost.cat", {}, class_attention);
  add("adaptor", "kdhost.hint", none, [](Given g) { return mse(g[0], g[1]); });
  add("adaptor", "kdhost.vid", none, [](Given g) {
    const Tensor variance = at::full({1, 256, 1, 1}, 5.0, g[0].options());
    return (((g[0] - g[1]).pow(2) / variance + at::log(variance)) * 0.5).mean();
  });
  add("adaptor", "kdhost.ab", none, ab);
  add("adaptor", "kdhost.ofd", {{"adaptor", S("none")}, {"margin", -0.5}}, ofd);
  add("adaptor", "kdhost.ickd", none, ickd);
  add("adaptor", "kdhost.mgd", none,
      [](Given g) { return at::mse_loss(g[0], g[1], at::Reduction::Sum) / samples(g[0]) * 2e-5; });
  add("network", "kdhost.ft", none, [](Given g) { return (activity(g[0]) - activity(g[1])).abs().mean(); });
  add("network", "kdhost.review", none, review);
  add("network", "kdhost.simkd", none, [](Given g) { return mse(g[0], g[1]); });
  add("network", "kdhost.ktaad", none, ktaad);
  Inputs vectors = maps({64, 512});
  cases.push_back({"kdhost_losses_adaptor", "kdhost.pad_l2", none, "64x512", vectors, [](Given g) {
                     return ((g[1] - g[0]).pow(2) / (1e-6 + at::exp(at::zeros_like(g[0])))).mean(1).mean();
                   }});
  vectors.emplace_back("student.logits", at::randn({64, 100}));
  vectors.emplace_back("teacher.logits", at::randn({64, 100}));
  cases.push_back({"kdhost_losses_adaptor",
                   "kdhost.srd",
                   {{"adaptor", S("none")}, {"exponent", 4.0}},
                   "64x512",
                   std::move(vectors),
                   srd});
  cases.push_back({"kdhost_losses_feature",
                   "kdhost.kdsvd",
                   {},
                   "2 of 16x64x8x8",
                   taps({{16, 64, 8, 8}, {16, 64, 8, 8}}),
                   singular_vectors,
                   1.0,
                   0.0,
                   1e-2});
  return cases;
}

}  // namespace loss_bench
