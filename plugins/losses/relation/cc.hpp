// SPDX-License-Identifier: MIT
//
// kdhost.cc: correlation congruence, how samples of the batch vary together.
//   Peng et al., ICCV 2019, arXiv 1904.01802
//
//   Variants  "author" (default): delta = |e_s - e_t|; mean over i = 0 .. N-2 of sum_d delta_i,d delta_i+1,d,
//                         neighbours in the batch. The authors' code as RepDistiller received it.
//             "gaussian": K(x, y) = e^(-2 gamma) sum_{k=0..P} (2 gamma)^k / k! (x.y)^k;  |K_s - K_t|_F / N^2
//             "bilinear": K(x, y) = x.y, the same norm. Both kernels are the paper, as in torchdistill. The norm is not
//                         squared.
// adaptor = "auto" trains a linear layer to `dim` on each side, the teacher's too; no gradient reaches the teacher.
// With "author" the order of the samples matters. One sample gives 0.
#pragma once
#include "../embedding_pair.hpp"
#include "../softmax_rows.hpp"

namespace kdhost::plugins {

struct CorrelationCongruence final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.cc").version("1.0.0").summary("correlation congruence: how the samples of a batch vary together");
    s.source(
        "Peng et al., Correlation Congruence for Knowledge Distillation, ICCV 2019, arXiv 1904.01802; default = "
        "RepDistiller");
    s.details(
        "delta = |e_s - e_t|, mean over neighbours i, i+1 in the batch of sum_d delta_i delta_i+1 (the order of the "
        "samples matters). variant = \"gaussian\": K(x, y) = e^(-2 gamma) sum_{k=0..order} (2 gamma)^k / k! (x.y)^k, "
        "|K_s - K_t|_F / N^2; variant = \"bilinear\": K(x, y) = x.y. adaptor = \"auto\" trains a linear layer to `dim` "
        "on each side; \"none\" compares the embeddings as they are, which needs equal widths. A batch of one sample "
        "gives 0. With the default variant the gradient can be taken once only (create_graph is refused).\n"
        "Trained: a linear layer on each side.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.cc\"\nweight = 0.02\n"
        "inputs = { student = [\"embedding\"], teacher = [\"embedding\"] }\n");
    s.choice("variant", {"author", "gaussian", "bilinear"}).doc("differences of neighbours, or a kernel");
    s.number("gamma", 0.4).above(0.0).doc("width of the gaussian kernel").schedulable();
    s.integer("order", 2).range(1, 16).doc("terms of the gaussian kernel's series after the first");
    EmbeddingPair::describe(s);
  }

  CorrelationCongruence(const Params& p, const Ports& ports, Builder& b)
      : variant_(p.text("variant")), order_(p.integer("order")), embed_(p, ports, b) {}

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (const TapPair& tap : tap_pairs(c)) {
      const auto [s, t] = embed_(c, tap);
      if (s.size(0) == 1) {
        warn_("a batch of one sample has no correlations: the loss is 0 there");
        sum.add(s.sum() * 0.0);
      } else {
        sum.add(variant_ == "author" ? neighbours(s, t) : kernels(c, s, t));
      }
    }
    return sum.value();
  }

 private:
  static Tensor neighbours(const Tensor& s, const Tensor& t) {
    const Tensor a = s.contiguous(), b = t.contiguous();
    if (fits_row_kernel(a))
      return a.dtype() == Dtype::f32 ? neighbours_on_cpu<float>(a, b) : neighbours_on_cpu<double>(a, b);
    const Tensor delta = (s - t).abs();
    const std::int64_t pairs = delta.size(0) - 1;
    return (delta.narrow(0, 0, pairs) * delta.narrow(0, 1, pairs)).sum() / static_cast<double>(pairs);
  }

  /// Value and gradient of both sides in one pass.
  template <class T>
  static Tensor neighbours_on_cpu(const Tensor& s, const Tensor& t) {
    const std::int64_t n = s.size(0), width = s.size(1);
    const bool wants_gradient = grad_enabled() && (s.requires_grad() || t.requires_grad());
    const T *a = s.data<T>(), *b = t.data<T>();
    std::vector<T> signed_delta(static_cast<std::size_t>(n * width));
    T* delta = signed_delta.data();
    for (std::int64_t i = 0; i < n * width; ++i) delta[i] = a[i] - b[i];
    double value = 0;
    for (std::int64_t i = 0; i + width < n * width; ++i)
      value += static_cast<double>(std::abs(delta[i])) * static_cast<double>(std::abs(delta[i + width]));
    const double share = 1.0 / static_cast<double>(n - 1);
    Tensor result = Tensor::of<T>({static_cast<T>(value * share)}, {});
    if (!wants_gradient) return result;
    Tensor gradient = Tensor::empty({n, width}, s.dtype(), s);
    T* g = gradient.mutable_data<T>();
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t d = 0; d < width; ++d) {
        const std::int64_t at = i * width + d;
        const T before = i > 0 ? std::abs(delta[at - width]) : T(0);
        const T after = i + 1 < n ? std::abs(delta[at + width]) : T(0);
        const T direction = static_cast<T>((delta[at] > 0) - (delta[at] < 0));
        g[at] = direction * (before + after) * static_cast<T>(share);
      }
    return custom_grad("kdhost.cc", OppositeGradients{std::move(result), std::move(gradient)}, {s, t});
  }

  /// A scalar of the difference of two tensors: what one receives the other receives with the other sign.
  struct OppositeGradients {
    Tensor value, gradient;
    Tensor forward(const Tensors&, Tensors& saved) {
      saved.push_back(std::move(gradient));
      return std::move(value);
    }
    Tensors backward(const Tensors& saved, const Tensor& grad) {
      once_differentiable();
      const Tensor first = saved[0] * grad;
      return {first, -first};
    }
  };

  Tensor kernels(const Call& c, const Tensor& s, const Tensor& t) const {
    const auto n = static_cast<double>(s.size(0));
    const double twice = 2.0 * c.number("gamma");
    return vector_norm(kernel(s, twice) - kernel(t, twice)) / (n * n);
  }

  Tensor kernel(const Tensor& e, double twice) const {
    const Tensor products = matmul(e, e.t());
    if (variant_ == "bilinear") return products;
    Tensor series = products * (twice / static_cast<double>(order_)) + 1.0;  // Horner's rule from the last term
    for (std::int64_t k = order_ - 1; k >= 1; --k) series = series * products * (twice / static_cast<double>(k)) + 1.0;
    return series * std::exp(-twice);
  }

  std::string variant_;
  std::int64_t order_;
  EmbeddingPair embed_;
  WarnOnce warn_;
};

}  // namespace kdhost::plugins
