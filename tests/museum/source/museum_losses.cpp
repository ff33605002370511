// SPDX-License-Identifier: MIT
// Losses of the museum (README.md): a hand-written gradient over raw memory with parameters of each sort, and a loss
// that is trained: a layer, a parameter without gradient and a buffer. Built once, by the SDK of ABI 1.0; not changed
// since.
#include <kdhost/plugin.hpp>
using namespace kdhost;

namespace {

struct SquaredGap {
  double temperature;

  Tensor forward(const Tensors& in, Tensors& saved) const {
    const Tensor a = in[0].to(Dtype::f64).contiguous(), b = in[1].to(Dtype::f64).contiguous();
    const Tensor slope = Tensor::empty(a.shape(), Dtype::f64), value = Tensor::empty({a.size(0)}, Dtype::f64);
    const double *x = a.data<double>(), *y = b.data<double>();
    double *d = slope.mutable_data<double>(), *v = value.mutable_data<double>();
    const std::int64_t columns = a.size(1);
    parallel_for(a.size(0), 4, [=, t = temperature](std::int64_t begin, std::int64_t end) noexcept {
      for (std::int64_t r = begin; r < end; ++r) {
        v[r] = 0.0;
        for (std::int64_t c = r * columns; c < (r + 1) * columns; ++c) {
          const double gap = (x[c] - y[c]) / t;
          v[r] += gap * gap;
          d[c] = 2.0 * gap / t;
        }
      }
    });
    saved = {slope};
    return value.mean().to(in[0].dtype());
  }
  Tensors backward(const Tensors& saved, const Tensor& grad) const {
    once_differentiable();
    return {(saved[0] * (grad / saved[0].size(0))).to(grad.dtype()), Tensor()};
  }
};

struct Gap final : Loss {
  static void describe(Spec& s) {
    s.id("museum.gap").version("1.0.0").summary("squared distance of tempered logits");
    s.source("made for the museum").details("mean over N of sum((s - t)^2) / T^2, times the mean of `weights`");
    s.number("temperature", 2.0).above(0.0).below(1000.0).schedulable().doc("T");
    s.integer("power", 1).range(0, 3).doc("the value is multiplied by T^power");
    s.flag("negative", false).doc("the other sign");
    s.choice("form", {"sum", "mean"}).doc("over classes");
    s.text("note", "").doc("not used");
    s.numbers("weights", {1.0, 3.0}).doc("their mean is a factor");
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
  }
  Tensor compute(const Call& c) override {
    const Tensor student = c["student.logits"], teacher = c["teacher.logits"].detach();
    if (student.shape() != teacher.shape())
      throw std::invalid_argument("'student.logits' is " + to_string(student.shape()) + ", 'teacher.logits' " +
                                  to_string(teacher.shape()) + ", expected the same shape");
    const double t = c.number("temperature");
    double factor = 0.0;
    const std::vector<double> weights = c.params().numbers("weights");
    for (const double w : weights) factor += w / static_cast<double>(weights.size());
    for (std::int64_t i = 0; i < c.integer("power"); ++i) factor *= t;
    if (c.flag("negative")) factor = -factor;
    if (c.text("form") == "mean") factor /= static_cast<double>(student.size(1));
    const Tensor gap = custom_grad("museum.gap", SquaredGap{t}, {student, teacher});
    c.report("unweighted", gap);
    return gap * factor;
  }
};

struct Aligned final : Loss {
  static void describe(Spec& s) {
    s.id("museum.aligned").version("1.0.0").summary("distance of features after a trained projection");
    s.number("momentum", 0.5).range(0.0, 1.0).doc("share of the old mean that is kept");
    s.input("student.feature").doc("[N, D]");
    s.input("teacher.feature").doc("[N, E]");
  }
  Aligned(const Params&, const Ports& ports, Builder& b)
      : projection_(b.linear("projection", ports.size("student.feature", 1), ports.size("teacher.feature", 1))),
        scale_(b.frozen_parameter("scale", {ports.size("teacher.feature", 1)}, Init::constant(0.5))),
        mean_(b.buffer("mean", {ports.size("teacher.feature", 1)}, Init::zeros())) {}

  Tensor compute(const Call& c) override {
    const Tensor student = projection_(c, c["student.feature"]), teacher = c["teacher.feature"].detach();
    const double keep = c.number("momentum");
    const Tensor mean = c.part(mean_);
    c.write(mean_, mean * keep + teacher.mean(0) * (1.0 - keep));
    const Tensor d = student - (teacher - mean) * c.part(scale_);
    return (d * d).mean();
  }

 private:
  nn::Linear projection_;
  Slot scale_, mean_;
};

}  // namespace

KDHOST_PLUGIN("museum.losses", "1.0.0", Gap, Aligned)
