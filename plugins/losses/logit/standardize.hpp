// SPDX-License-Identifier: MIT
//
// Logit standardisation, (z - mean) / (1e-7 + std) per sample with the n-1 standard deviation: the step of Sun, Ren,
// Li, Wang, Cao, CVPR 2024, arXiv 2403.01427, that other logit losses can take first. On the CPU with contiguous
// logits a row at a time with a gradient by hand (standardize_rows.cpp).
#pragma once
#include "../loss_inputs.hpp"
#include "standardize_rows.hpp"

namespace kdhost::plugins {

template <class T>
struct StandardizedByRows {
  Tensor forward(const Tensors& in, Tensors& saved) {
    const Tensor& z = in[0];
    const std::int64_t rows = z.size(0), classes = z.size(1);
    const Tensor out = Tensor::empty(z.shape(), z.dtype(), z);
    const Tensor scale = Tensor::empty({rows, 2}, z.dtype(), z);
    const StandardizeRows<T> work{z.data<T>(), out.mutable_data<T>(), scale.mutable_data<T>(), classes, T(1e-7)};
    parallel_for(rows, row_grain(classes),
                 [&](std::int64_t begin, std::int64_t end) { standardize_rows(work, begin, end); });
    saved = {out, scale};
    return out;
  }
  Tensors backward(const Tensors& saved, const Tensor& grad) {
    once_differentiable();
    const Tensor& out = saved[0];
    const Tensor g = grad.contiguous();
    const Tensor result = Tensor::empty(out.shape(), out.dtype(), out);
    const StandardizeBackRows<T> work{out.data<T>(), saved[1].data<T>(), g.data<T>(), result.mutable_data<T>(),
                                      out.size(1)};
    parallel_for(out.size(0), row_grain(out.size(1)),
                 [&](std::int64_t begin, std::int64_t end) { standardize_back_rows(work, begin, end); });
    return {result};
  }
};

/// A constant row becomes 0 and gets no gradient: through its own scale it would be 1e7 times too large.
inline Tensor standardized(const Tensor& z) {
  if (fits_row_kernel(z)) {
    const auto by_rows = [&](auto how) {
      Tensors saved;
      if (!grad_enabled() || !z.requires_grad()) return how.forward({z}, saved);
      return custom_grad("standardized logits", how, {z});
    };
    return z.dtype() == Dtype::f32 ? by_rows(StandardizedByRows<float>{}) : by_rows(StandardizedByRows<double>{});
  }
  const Tensor varies = gt(amax(z, 1, true), amin(z, 1, true));
  const Tensor centred = z - z.mean({1}, true);
  return where(varies, centred / (std(z, 1, 1, true) + 1e-7), zeros_like(z));
}

/// Standardises both sides; tells once when there are only two classes.
class Standardize {
 public:
  static void describe(Spec& s) {
    s.flag("standardize", false).doc("standardise each row of logits first, both sides");
  }
  LogitPair operator()(const LogitPair& z) {
    need_two_classes(z);
    if (z.classes() == 2)
      warn_(
          "two standardised logits are always +-0.707: with two classes the loss sees only which one is larger, and "
          "its gradient is of the order of the epsilon");
    return {standardized(z.student), standardized(z.teacher)};
  }

 private:
  WarnOnce warn_;
};

}  // namespace kdhost::plugins
