// SPDX-License-Identifier: MIT
//
// kdhost.kd: soft targets.                                  Hinton, Vinyals, Dean, NIPS 2014 workshop, arXiv 1503.02531
//
//   L = T^2 * (1/N) * sum_i sum_c p_t (log p_t - log p_s),     p = softmax(z / T)
//
// Variants  form = "ce" leaves log p_t out: the same gradient, but at equality the teacher's entropy instead of 0.
//           scale = "none" leaves T^2 out; the gradient then falls with 1/T^2.
//           reduction = "mean" divides by N*C (C times smaller, in some public codes by accident), "sum" by nothing.
// Default equal in RepDistiller, mdistiller, MMRazor and ModelOpt.
// Numerics  at least float32, log space throughout. On the CPU with contiguous logits one pass over each row gives
//           value and gradient T / N * (p_s - p_t) (softmax_rows.cpp).
#pragma once
#include "../loss_inputs.hpp"
#include "../softmax_rows.hpp"

namespace kdhost::plugins {

struct Kd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.kd")
        .version("1.0.0")
        .summary("knowledge distillation: KL divergence to the teacher's softened probabilities");
    s.source(
        "Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, NIPS 2014 workshop, arXiv 1503.02531");
    s.details(
        "T^2 (1/N) sum_i sum_c p_t (log p_t - log p_s), p = softmax(z / T). form = \"ce\" drops log p_t (not 0 at "
        "equality); "
        "scale = \"none\" drops T^2; reduction: batchmean sums over classes and averages over samples, mean divides by "
        "N*C, sum "
        "by nothing. Maps [N, C, H, W] count as N*H*W samples. At least float32, log space. On the CPU with contiguous "
        "logits the "
        "gradient is computed together with the value and can be taken once only (create_graph is refused).");
    s.recipe("[[loss]]\nuse = \"kdhost.kd\"\nweight = 0.9\nparams = { temperature = 4.0 }\n");
    s.number("temperature", 4.0).above(0.0).doc("softens both sides; higher is flatter").schedulable();
    s.choice("form", {"kl", "ce"}).doc("kl: 0 at equality; ce: without the teacher's entropy");
    s.choice("scale", {"t2", "none"}).doc("t2 keeps the size of the gradient when the temperature changes");
    s.choice("reduction", {"batchmean", "mean", "sum"}).doc("divide by N, by N*C, or by nothing");
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
  }

  explicit Kd(const Params& p) : cross_entropy_(p.text("form") == "ce"), squared_(p.text("scale") == "t2") {
    if (p.text("reduction") == "batchmean") reduction_ = Reduction::batchmean;
    if (p.text("reduction") == "sum") reduction_ = Reduction::sum;
  }

  Tensor compute(const Call& c) override {
    const LogitPair z = logit_pair(c);
    const double temperature = c.number("temperature");
    double factor = squared_ ? temperature * temperature : 1.0;
    if (reduction_ != Reduction::sum) factor /= static_cast<double>(z.student.size(0));
    if (reduction_ == Reduction::mean) factor /= static_cast<double>(z.classes());
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher))
      return z.student.dtype() == Dtype::f32 ? by_rows<float>(z, temperature, factor)
                                             : by_rows<double>(z, temperature, factor);

    const Tensor log_s = log_softmax(z.student / temperature, 1);
    const Tensor log_t = log_softmax(z.teacher / temperature, 1);
    const Tensor p_t = exp(log_t);
    return (cross_entropy_ ? -(p_t * log_s) : p_t * (log_t - log_s)).sum() * factor;
  }

 private:
  template <class T>
  Tensor by_rows(const LogitPair& z, double temperature, double factor) const {
    const std::int64_t rows = z.student.size(0), classes = z.classes();
    const bool wants_gradient = grad_enabled() && z.student.requires_grad();
    Tensor gradient = wants_gradient ? Tensor::empty(z.student.shape(), z.student.dtype(), z.student) : Tensor();
    std::vector<double> values(static_cast<std::size_t>(rows));
    const KdRows<T> work{z.student.data<T>(),
                         z.teacher.data<T>(),
                         wants_gradient ? gradient.mutable_data<T>() : nullptr,
                         values.data(),
                         classes,
                         static_cast<T>(1.0 / temperature),
                         static_cast<T>(factor / temperature),
                         cross_entropy_};
    parallel_for(rows, row_grain(classes), [&](std::int64_t begin, std::int64_t end) { kd_rows(work, begin, end); });
    double sum = 0;
    for (const double v : values) sum += v;
    Tensor value = Tensor::of<T>({static_cast<T>(sum * factor)}, {});
    if (!wants_gradient) return value;
    return custom_grad("kdhost.kd", KnownGradient{std::move(value), std::move(gradient)}, {z.student});
  }

  bool cross_entropy_, squared_;
  Reduction reduction_ = Reduction::mean;
};

}  // namespace kdhost::plugins
