// SPDX-License-Identifier: MIT
// A loss with a derivative written by hand: log cosh of the difference of the logits, which is quadratic near zero and
// linear far away. The operators would need |d|, exp and log1p for the backward pass; by hand it is one tanh.
#include <kdhost/plugin.hpp>
using namespace kdhost;

namespace {

/// mean(log cosh(student - teacher)) = mean(|d| + log1p(exp(-2 |d|)) - log 2), which does not overflow.
struct MeanLogCosh {
  Tensor forward(const Tensors& in, Tensors& saved) const {
    saved = in;
    const Tensor d = abs(in[0] - in[1]);
    return (d + log1p(exp(d * -2.0)) - 0.69314718055994530942).mean();
  }
  /// Operators on the saved inputs, so a second derivative exists as well.
  Tensors backward(const Tensors& saved, const Tensor& grad) const {
    const Tensor d = saved[0] - saved[1];
    const Tensor g = tanh(d) * (grad / d.numel());
    return {g, -g};
  }
};

struct LogCosh final : Loss {
  static void describe(Spec& s) {
    s.id("example.log_cosh").version("1.0.0").summary("mean log cosh of the difference of the logits");
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
  }
  Tensor compute(const Call& c) override {
    return custom_grad("example.log_cosh", MeanLogCosh{}, {c["student.logits"], c["teacher.logits"]});
  }
};

}  // namespace

KDHOST_PLUGIN("example.custom_gradient", "1.0.0", LogCosh)
