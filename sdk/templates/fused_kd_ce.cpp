// SPDX-License-Identifier: MIT
// A loss with a kernel of its own on the host's threads: alpha * cross-entropy with the labels + (1 - alpha) * T² * KL
// divergence from the softened teacher. By operators that is a dozen passes over the logits and as many tensors; here
// value and derivative come from one pass over each row, rows in parallel. On a GPU it falls back to operators.
#include <kdhost/plugin.hpp>

#include <algorithm>
#include <cmath>
using namespace kdhost;

namespace {

/// log Σ exp(row[i] / temperature).
template <class T>
double log_sum_exp(const T* row, std::int64_t classes, double temperature) {
  const double top = static_cast<double>(*std::max_element(row, row + classes)) / temperature;
  double sum = 0;
  for (std::int64_t i = 0; i < classes; ++i) sum += std::exp(static_cast<double>(row[i]) / temperature - top);
  return top + std::log(sum);
}

struct FusedKdCe {
  double temperature, alpha;

  /// One row of logits: returns the loss and writes its derivative.
  template <class T>
  double row(const T* s, const T* t, std::int64_t label, std::int64_t classes, T* slope) const {
    const double hard = log_sum_exp(s, classes, 1.0);
    const double soft_s = log_sum_exp(s, classes, temperature), soft_t = log_sum_exp(t, classes, temperature);
    double kl = 0;
    for (std::int64_t i = 0; i < classes; ++i) {
      const double log_p = static_cast<double>(t[i]) / temperature - soft_t;
      const double log_q = static_cast<double>(s[i]) / temperature - soft_s;
      kl += std::exp(log_p) * (log_p - log_q);
      slope[i] = static_cast<T>(alpha * (std::exp(static_cast<double>(s[i]) - hard) - (i == label ? 1.0 : 0.0)) +
                                (1.0 - alpha) * temperature * (std::exp(log_q) - std::exp(log_p)));
    }
    return alpha * (hard - static_cast<double>(s[label])) + (1.0 - alpha) * temperature * temperature * kl;
  }

  template <class T>
  Tensor run(const Tensor& student, const Tensor& teacher, const Tensor& labels, Tensors& saved) const {
    const std::int64_t rows = student.size(0), classes = student.size(1);
    const Tensor losses = Tensor::empty({rows}, Dtype::f64), slope = empty_like(student);
    const T *s = student.data<T>(), *t = teacher.data<T>();
    const std::int64_t* label = labels.data<std::int64_t>();
    if (std::any_of(label, label + rows, [classes](std::int64_t l) { return l < 0 || l >= classes; }))
      throw std::invalid_argument("a label is not one of the " + std::to_string(classes) + " classes of the logits");
    T* d = slope.mutable_data<T>();
    double* out = losses.mutable_data<double>();
    // Rows are independent, so the result does not depend on how many threads there are. 16 rows: enough work for a
    // piece.
    parallel_for(rows, 16,
                 [s, t, label, d, out, classes, kernel = *this](std::int64_t begin, std::int64_t end) noexcept {
                   for (std::int64_t r = begin; r < end; ++r)
                     out[r] = kernel.row(s + r * classes, t + r * classes, label[r], classes, d + r * classes);
                 });
    saved = {slope};
    return losses.mean().to(student.dtype());
  }
  Tensor forward(const Tensors& in, Tensors& saved) const {
    const Tensor student = at_least_float32(in[0]).contiguous(), teacher = in[1].to(student.dtype()).contiguous();
    const Tensor labels = in[2].contiguous();
    return student.dtype() == Dtype::f64 ? run<double>(student, teacher, labels, saved)
                                         : run<float>(student, teacher, labels, saved);
  }
  Tensors backward(const Tensors& saved, const Tensor& grad) const {
    once_differentiable();  // `slope` was computed in forward
    return {saved[0] * (grad / saved[0].size(0)), Tensor(), Tensor()};
  }
};

struct KdCe final : Loss {
  static void describe(Spec& s) {
    s.id("example.kd_ce").version("1.0.0").summary("cross-entropy and softened KL divergence in one pass");
    s.number("temperature", 4.0).range(0.1, 100.0).schedulable();
    s.number("alpha", 0.1).range(0.0, 1.0).doc("share of the labels").schedulable();
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
    s.input("batch.label").doc("[N] int64");
  }
  Tensor compute(const Call& c) override {
    const Tensor student = c["student.logits"], teacher = c["teacher.logits"], label = c["batch.label"];
    const double t = c.number("temperature"), alpha = c.number("alpha");
    if (student.on_cpu()) return custom_grad("example.kd_ce", FusedKdCe{t, alpha}, {student, teacher, label});
    const Tensor soft =
        kl_div(log_softmax(student / t, 1), log_softmax(teacher / t, 1), Reduction::batchmean, /*log_target=*/true);
    return cross_entropy(student, label) * alpha + soft * ((1.0 - alpha) * t * t);
  }
};

}  // namespace

KDHOST_PLUGIN("example.fused_kd_ce", "1.0.0", KdCe)
