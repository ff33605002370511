// SPDX-License-Identifier: MIT
// The losses that bring networks or a memory of their own, or compare views, beside the published codes in LibTorch's
// operators. Where parts are drawn at random the values cannot agree.
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

#include "loss_bench.hpp"

namespace loss_bench {
namespace {

constexpr double kOwnParts = std::numeric_limits<double>::infinity();

Tensor trained(std::vector<int64_t> shape, double scale) { return (at::randn(shape) * scale).requires_grad_(); }

/// Convolution, batch norm in training and ReLU.
class Block {
 public:
  Block(int64_t in, int64_t out, int64_t kernel)
      : weight_(trained({out, in, kernel, kernel}, 1.0 / std::sqrt(static_cast<double>(in * kernel * kernel)))),
        scale_(at::ones({out}).requires_grad_()),
        shift_(at::zeros({out}).requires_grad_()),
        mean_(at::zeros({out})),
        variance_(at::ones({out})),
        padding_(kernel / 2) {}
  Tensor operator()(const Tensor& x) const {
    const Tensor y = at::conv2d(x, weight_, {}, 1, padding_);
    return at::batch_norm(y, scale_, shift_, mean_, variance_, true, 0.1, 1e-5, false).relu();
  }

 private:
  Tensor weight_, scale_, shift_, mean_, variance_;
  int64_t padding_;
};

// RepDistiller's bank: the embeddings of the drawn samples are copied out and multiplied.
class Contrast {
 public:
  Contrast(int64_t width, int64_t samples, int64_t dim, int64_t negatives)
      : samples_(samples),
        negatives_(negatives),
        student_(trained({dim, width}, 0.05)),
        teacher_(trained({dim, width}, 0.05)),
        bank_student_(at::rand({samples, dim}) - 0.5),
        bank_teacher_(at::rand({samples, dim}) - 0.5) {}
  Tensor operator()(Given g) const {
    const Tensor e_s = normalised(at::linear(g[0], student_), 1), e_t = normalised(at::linear(g[1], teacher_), 1);
    Tensor index = at::randint(0, samples_, {g[0].size(0), negatives_ + 1}, at::kLong);
    index.select(1, 0).copy_(g[2]);
    const Tensor value = side(e_s, bank_teacher_, index) + side(e_t, bank_student_, index);
    const at::NoGradGuard off;
    for (const auto& [bank, e] : {std::pair{bank_student_, e_s}, std::pair{bank_teacher_, e_t}})
      Tensor(bank).index_copy_(0, g[2], normalised(bank.index_select(0, g[2]) * 0.5 + e.detach() * 0.5, 1));
    return value;
  }

 private:
  Tensor side(const Tensor& e, const Tensor& bank, const Tensor& index) const {
    const Tensor rows = bank.index_select(0, index.view(-1)).view({index.size(0), index.size(1), e.size(1)});
    const Tensor raised = at::exp(rows.bmm(e.unsqueeze(2)).squeeze(2) / 0.07);
    const Tensor o = raised / (raised.detach().mean() * static_cast<double>(samples_));
    const double noise = static_cast<double>(negatives_) / static_cast<double>(samples_);
    const Tensor positive = o.select(1, 0), negative = o.narrow(1, 1, negatives_);
    return -(at::log(positive / (positive + noise + 1e-7)).sum() +
             at::log(at::full_like(negative, noise) / (negative + noise + 1e-7)).sum()) /
           samples(e);
  }
  int64_t samples_, negatives_;
  Tensor student_, teacher_, bank_student_, bank_teacher_;
};

// The authors' code: similarities of the batch, embedded on each side, weigh the distances of all pairs of taps.
class Calibration {
 public:
  explicit Calibration(int64_t batch) : batch_(batch) {
    for (auto* embeddings : {&queries_, &keys_})
      for (int i = 0; i < 2; ++i)
        embeddings->push_back({trained({batch / 2, batch}, 0.1), trained({batch / 4, batch / 2}, 0.1)});
    for (const int64_t in : {32, 64})
      for (const int64_t out : {32, 64})
        regressors_.push_back({Block(in, 2 * out, 1), Block(2 * out, 2 * out, 3), trained({out, 2 * out, 1, 1}, 0.1)});
  }
  Tensor operator()(Given g) const {
    const auto embedded = [&](const std::vector<Embedding>& layers, std::size_t first) {
      std::vector<Tensor> made;
      for (std::size_t i = 0; i < 2; ++i) {
        const Tensor rows = g[first + i].flatten(1);
        const Tensor alike = rows.matmul(rows.t());
        made.push_back(normalised(at::linear(at::linear(alike, layers[i].first).relu(), layers[i].second), 1));
      }
      return at::stack(made, 1);
    };
    const Tensor attention = at::softmax(embedded(queries_, 0).bmm(embedded(keys_, 2).transpose(1, 2)), 2);
    std::vector<Tensor> apart;
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t j = 0; j < 2; ++j) {
        Tensor s = g[i], t = g[2 + j];
        const int64_t size = std::min(s.size(2), t.size(2));
        if (s.size(2) != size) s = at::adaptive_avg_pool2d(s, {size, size});
        if (t.size(2) != size) t = at::adaptive_avg_pool2d(t, {size, size});
        const Regressor& r = regressors_[i * 2 + j];
        apart.push_back(
            at::mse_loss(at::conv2d(r.second(r.first(s)), r.third), t, at::Reduction::None).flatten(1).mean(1));
      }
    return (attention.flatten(1) * at::stack(apart, 1)).sum() / static_cast<double>(batch_ * 2);
  }

 private:
  struct Embedding {
    Tensor first, second;
  };
  struct Regressor {
    Block first, second;
    Tensor third;
  };
  int64_t batch_;
  std::vector<Embedding> queries_, keys_;
  std::vector<Regressor> regressors_;
};

class Exits {
 public:
  Exits() {
    for (const int64_t in : {32, 64}) exits_.push_back({Block(in, 128, 1), trained({100, 128}, 0.1)});
  }
  Tensor operator()(Given g) const {
    const Tensor last = g[2].mean({2, 3}), soft = at::softmax(g[3] / 3.0, 1);
    Tensor value = at::zeros({});
    for (std::size_t i = 0; i < 2; ++i) {
      const Tensor a = exits_[i].first(g[i]).mean({2, 3});
      const Tensor z = at::linear(a, exits_[i].second);
      const Tensor kl = at::kl_div(at::log_softmax(z / 3.0, 1), soft, at::Reduction::Sum) / samples(z) * 9.0;
      value = value + at::cross_entropy_loss(z, g[4]) * 0.7 + kl * 0.3 + (a - last).pow(2).sum() / samples(a) * 0.03;
    }
    return value;
  }

 private:
  std::vector<std::pair<Block, Tensor>> exits_;
};

Tensor classifier(Given g) { return at::mse_loss(g[0], g[1]) + at::mse_loss(at::linear(g[0], g[3], g[4]), g[2]); }

// The authors' code, its loops over samples as sorts.
Tensor self_supervised(Given g) {
  constexpr int64_t views = 4;
  const auto alike = [](const Tensor& e) {
    const Tensor x = e.view({-1, views, e.size(1)});
    const Tensor plain = x.select(1, 0), moved = x.narrow(1, 1, views - 1).reshape({-1, e.size(1)});
    return at::cosine_similarity(moved.unsqueeze(1), plain.unsqueeze(0), 2);
  };
  const Tensor s = alike(g[0]);
  Tensor weight, t;
  {
    const at::NoGradGuard off;
    t = alike(g[1]);
    const int64_t n = t.size(0);
    const Tensor own = at::arange(t.size(1)).repeat_interleave(views - 1).unsqueeze(1);
    const Tensor rank = (t > t.gather(1, own)).sum(1);
    const Tensor order = (rank * n + at::arange(n)).argsort();
    const int64_t right = (rank == 0).sum().item<int64_t>();
    const auto count = right + static_cast<int64_t>(static_cast<double>(n - right) * 0.75);
    weight = at::zeros({n}).index_fill_(0, order.narrow(0, 0, count), 1.0);
  }
  const Tensor kl = at::kl_div(at::log_softmax(s / 0.5, 1), at::softmax(t / 0.5, 1), at::Reduction::None).sum(1);
  return (kl * weight).sum() / weight.sum() * 0.25;
}

Inputs with(Inputs made, const Inputs& more) {
  made.insert(made.end(), more.begin(), more.end());
  return made;
}

}  // namespace

std::vector<Case> network_cases() {
  at::manual_seed(11);
  const S network = "kdhost_losses_network";
  const Settings none{{"adaptor", S("none")}};
  const Inputs stages = taps({{64, 32, 16, 16}, {64, 64, 8, 8}});
  const Inputs exits{stages[0],
                     stages[1],
                     {"teacher.features.0", at::randn({64, 128, 8, 8})},
                     {"teacher.logits", at::randn({64, 100})},
                     {"batch.label", at::randint(0, 100, {64}, at::kLong)}};
  return {
      {"kdhost_losses_contrastive",
       "kdhost.crd",
       {{"negatives", 4096.0}},
       "64x256",
       with(taps({{64, 256}}), {{"batch.index", at::arange(64, at::kLong)}}),
       Contrast(256, 50000, 128, 4096),
       1.0,
       0.0,
       kOwnParts,
       50000},
      {"kdhost_losses_contrastive", "kdhost.sskd", none, "256x128", taps({{256, 128}}), self_supervised},
      {network, "kdhost.semckd", {{"batch_size", 64.0}}, "2x2 taps", stages, Calibration(64), 1.0, 0.0, kOwnParts},
      {network, "kdhost.srrl", none, "64x512",
       with(taps({{64, 512}}), {{"teacher.logits", at::randn({64, 100})},
                                {"teacher.classifier.weight", at::randn({100, 512})},
                                {"teacher.classifier.bias", at::randn({100})}}),
       classifier},
      {"kdhost_losses_self", "kdhost.byot", {}, "2 exits", exits, Exits(), 1.0, 0.0, kOwnParts},
  };
}

}  // namespace loss_bench
