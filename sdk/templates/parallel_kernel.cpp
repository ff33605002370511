// SPDX-License-Identifier: MIT
// A loss with a kernel of its own on the host's threads: for each pair of classes that the teacher orders i before j,
// the student pays max(0, margin - (s_i - s_j)). Value and derivative are found in one pass over the pairs, rows in
// parallel.
#include <kdhost/plugin.hpp>
using namespace kdhost;

namespace {

/// One row of `classes` logits: returns the loss and writes its derivative.
template <class T>
double row_loss(const T* s, const T* t, std::int64_t classes, double margin, T* slope) {
  double loss = 0;
  for (std::int64_t i = 0; i < classes; ++i) slope[i] = T(0);
  for (std::int64_t i = 0; i < classes; ++i) {
    for (std::int64_t j = 0; j < classes; ++j) {
      const double gap = margin - (static_cast<double>(s[i]) - static_cast<double>(s[j]));
      if (!(t[i] > t[j]) || gap <= 0) continue;
      loss += gap;
      slope[i] -= T(1);
      slope[j] += T(1);
    }
  }
  return loss;
}

struct OrderLoss {
  double margin;

  template <class T>
  Tensor run(const Tensor& student, const Tensor& teacher, Tensors& saved) const {
    const std::int64_t rows = student.size(0), classes = student.size(1);
    const Tensor losses = Tensor::empty({rows}, Dtype::f64), slope = empty_like(student);
    const T *s = student.data<T>(), *t = teacher.data<T>();
    T* d = slope.mutable_data<T>();
    double* out = losses.mutable_data<double>();
    // Rows are independent, so the result does not depend on how many threads there are. 16 rows: enough work for a
    // piece.
    parallel_for(rows, 16, [s, t, d, out, classes, limit = margin](std::int64_t begin, std::int64_t end) noexcept {
      for (std::int64_t r = begin; r < end; ++r)
        out[r] = row_loss(s + r * classes, t + r * classes, classes, limit, d + r * classes);
    });
    saved = {slope};
    return losses.mean().to(student.dtype());
  }
  Tensor forward(const Tensors& in, Tensors& saved) const {
    if (!in[0].on_cpu()) throw std::invalid_argument("example.order works on the CPU only; use --device cpu");
    const Tensor student = at_least_float32(in[0]).contiguous(), teacher = in[1].to(student.dtype()).contiguous();
    return student.dtype() == Dtype::f64 ? run<double>(student, teacher, saved) : run<float>(student, teacher, saved);
  }
  Tensors backward(const Tensors& saved, const Tensor& grad) const {
    once_differentiable();  // `slope` was computed in forward
    return {saved[0] * (grad / saved[0].size(0)), Tensor()};
  }
};

struct Order final : Loss {
  static void describe(Spec& s) {
    s.id("example.order").version("1.0.0").summary("hinge on each pair of classes in the teacher's order");
    s.number("margin", 0.1).range(0.0, 100.0).schedulable();
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
  }
  Tensor compute(const Call& c) override {
    return custom_grad("example.order", OrderLoss{c.number("margin")}, {c["student.logits"], c["teacher.logits"]});
  }
};

}  // namespace

KDHOST_PLUGIN("example.parallel_kernel", "1.0.0", Order)
