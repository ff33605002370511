// SPDX-License-Identifier: MIT
//
// kdhost.semckd: cross-layer distillation with semantic calibration, every student tap with every teacher tap, weighted
// by attention.                                                       Chen et al., AAAI 2021, arXiv 2012.03236
//
//   S_i = F_i F_i^T over the batch [N, N] of student tap i, T_j of teacher tap j;  q_i = Q_i(S_i), k_j = K_j(T_j)
//   a_n,i,j = softmax over j of q_n,i . k_n,j / soft
//   L = sum over n, i, j of a_n,i,j mse_n(R_ij(f_s,i), f_t,j) / (N L_s),   mse_n the mean over the map of sample n
//
// Parts     Q_i, K_j: linear N -> N/2, ReLU, linear N/2 -> N/4, unit L2 a sample; R_ij: conv 1x1 to 2 C_t, conv 3x3,
//           conv 1x1 to C_t, no bias, batch norm and ReLU behind the first two. The larger map is pooled to the
//           smaller first.
// The rows of S and T are as long as the batch, so the first layers have the batch size in their shape: batch_size must
// be that of the data, and a batch of another size counts nothing (the published code leaves it out).
// Not fully in the specification of shipped losses: default = the authors' code, golden values are our own runs of it.
#pragma once
#include "adaptors.hpp"

namespace kdhost::plugins {

struct SemanticCalibration final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.semckd").version("1.0.0").summary("semantic calibration: attention between all pairs of layers");
    s.source(
        "Chen et al., Cross-Layer Distillation with Semantic Calibration, AAAI 2021, arXiv 2012.03236; default = "
        "authors' code (golden values: our own runs of it)");
    s.details(
        "sum of a_n,i,j mse_n(R_ij(f_s,i), f_t,j) / (N x student taps), a the softmax over teacher taps of products of "
        "embedded batch similarities, R_ij three trained convolutions for each pair. The number of taps may differ. "
        "The embeddings have the batch size in their shape: batch_size is that of [data], and a batch of another size "
        "(the last one, without drop_last) gives 0 with one warning.\n"
        "Trained: embeddings and convolutions. State: their running statistics.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.semckd\"\nweight = 400.0\nparams = { batch_size = 64 }\n"
        "inputs = { student = [\"layer1\", \"layer2\", \"layer3\"], teacher = [\"layer1\", \"layer2\", \"layer3\"] "
        "}\n");
    s.integer("batch_size").at_least(4).required().doc("samples of a batch, as in [data]");
    s.number("soft", 1.0).above(0.0).doc("divides the products before the softmax").schedulable();
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("maps [N, C, H, W], any number of them");
  }

  SemanticCalibration(const Params& p, const Ports& ports, Builder& b) : batch_(p.integer("batch_size")) {
    const auto students = static_cast<std::size_t>(ports.count("student.features"));
    const auto teachers = static_cast<std::size_t>(ports.count("teacher.features"));
    const auto channels = [&](const char* side, std::size_t i) {
      const std::string port = tap_name(side, i);
      if (ports.shape(port).size() != 4)
        throw std::invalid_argument("'" + port + "' is " + to_string(ports.shape(port)) +
                                    ", expected a feature map [N, C, H, W]");
      return ports.size(port, 1);
    };
    for (std::size_t i = 0; i < students; ++i) queries_.push_back(embedding(b.scope("query" + std::to_string(i))));
    for (std::size_t j = 0; j < teachers; ++j) keys_.push_back(embedding(b.scope("key" + std::to_string(j))));
    for (std::size_t i = 0; i < students; ++i) {
      const std::int64_t in = channels("student", i);
      for (std::size_t j = 0; j < teachers; ++j)
        regressors_.push_back(
            regressor(b.scope("regressor" + std::to_string(i) + "_" + std::to_string(j)), in, channels("teacher", j)));
    }
  }

  Tensor compute(const Call& c) override {
    const Tensors s = maps(c, "student", false), t = maps(c, "teacher", true);
    const std::int64_t n = s.front().size(0);
    for (const Tensors* side : {&s, &t})
      for (const Tensor& x : *side)
        if (x.size(0) != n)
          throw std::invalid_argument("the taps have batches of " + std::to_string(n) + " and " +
                                      std::to_string(x.size(0)) + " samples, expected the same number in every tap");
    if (n != batch_) {
      warn_("a batch of " + std::to_string(n) + " samples, where batch_size is " + std::to_string(batch_) +
            ": the loss is 0 there; write drop_last = true in [data], or the batch size of [data]");
      return s.front().sum() * 0.0;
    }
    const Tensor attention =
        softmax(bmm(embedded(c, queries_, s), embedded(c, keys_, t).transpose(1, 2)) / c.number("soft"), 2);
    Tensors distances;
    for (std::size_t i = 0; i < s.size(); ++i)
      for (std::size_t j = 0; j < t.size(); ++j) {
        Tensor a = s[i], b = t[j];
        pool_to_smaller(a, b);
        const Tensor apart = regressors_[i * t.size() + j](c, a) - b;
        distances.push_back(square(apart).flatten(1).mean({1}));
      }
    const Tensor weighted = attention.flatten(1) * stack(distances, 1);
    return weighted.sum() / static_cast<double>(n * static_cast<std::int64_t>(s.size()));
  }

 private:
  struct Embedding {
    nn::Linear first, second;
    Tensor operator()(const Call& c, const Tensor& x) const { return normalize(second(c, relu(first(c, x)))); }
  };
  struct Regressor {
    ConvNorm first, second;
    nn::Conv2d third;
    Tensor operator()(const Call& c, const Tensor& x) const { return third(c, relu(second(c, relu(first(c, x))))); }
  };

  Embedding embedding(const Builder& b) const {
    const std::int64_t width = batch_ / 4;
    return {b.linear("linear1", batch_, 2 * width), b.linear("linear2", 2 * width, width)};
  }

  static Regressor regressor(const Builder& b, std::int64_t in, std::int64_t out) {
    nn::ConvOptions plain;
    plain.bias = false;
    return {conv_norm(b.scope("1"), in, 2 * out, 1), conv_norm(b.scope("2"), 2 * out, 2 * out, 3),
            b.conv2d("3", 2 * out, out, 1, plain)};
  }

  static Tensors maps(const Call& c, const char* side, bool detached) {
    Tensors list = c.list(std::string(side) + ".features");
    if (list.empty())
      throw std::invalid_argument("'" + std::string(side) + ".features' has no tap, expected at least one");
    for (std::size_t i = 0; i < list.size(); ++i) {
      check_samples(tap_name(side, i), list[i]);
      if (list[i].dim() != 4) refuse_shape(tap_name(side, i), list[i], "a feature map [N, C, H, W]");
      list[i] = at_least_float32(detached ? list[i].detach() : list[i]);
    }
    return list;
  }

  /// [N, taps, width]
  static Tensor embedded(const Call& c, const std::vector<Embedding>& embeddings, const Tensors& taps) {
    Tensors made;
    for (std::size_t i = 0; i < taps.size(); ++i) {
      const Tensor rows = taps[i].flatten(1);
      made.push_back(embeddings[i](c, matmul(rows, rows.t())));
    }
    return stack(made, 1);
  }

  std::int64_t batch_;
  std::vector<Embedding> queries_, keys_;
  std::vector<Regressor> regressors_;
  WarnOnce warn_;
};

}  // namespace kdhost::plugins
