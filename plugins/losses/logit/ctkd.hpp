// SPDX-License-Identifier: MIT
//
// kdhost.ctkd: curriculum temperature.                                 Li et al., AAAI 2023, arXiv 2211.16231
//
//   L = T^2/N sum_i KL(p_t || p_s),   p = softmax(z / T),   T = t_start + t_end * sigmoid(theta)
//
// theta is one trained number, 1 at first. Its gradient is multiplied by `reversal`: at -1 it is trained against the
// student, towards the temperature at which the loss is largest; at 0 it stays. Published: from 0 to -1 by a cosine
// over the first 10 epochs; here a [[schedule]] of any form. The gradient with respect to theta goes through T^2 and
// both softmaxes, as in the authors' code; the teacher's logits get none.
#pragma once
#include "divergence.hpp"
#include "logit_source.hpp"

namespace kdhost::plugins {

struct Ctkd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.ctkd")
        .version("1.0.0")
        .summary("curriculum temperature: the temperature is learned against the student");
    s.source(
        "Li et al., Curriculum Temperature for Knowledge Distillation, AAAI 2023, arXiv 2211.16231; golden value our "
        "own computation with PyTorch");
    s.details(
        "T^2 (1/N) sum_i KL(p_t || p_s), p = softmax(z / T), T = t_start + t_end sigmoid(theta); theta is one "
        "trained number, 1 at first. Its gradient is multiplied by reversal: -1 trains it towards the temperature "
        "that is hardest for the student, 0 leaves it alone; a [[schedule]] lets it grow. Reports the sub-term "
        "temperature. Several teachers: see combine (probabilities are mixed at T = 1).\n"
        "Trained: the temperature.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.ctkd\"\nweight = 0.9\n\n[[schedule]]\ntarget = \"loss.ctkd.params.reversal\"\nuse = "
        "\"kdhost.linear\"\nparams = { from = 0.0, to = -1.0, epochs = 10 }\n");
    s.number("t_start", 1.0).above(0.0).doc("the lowest temperature");
    s.number("t_end", 20.0).at_least(0.0).doc("what a large theta adds to it");
    s.number("reversal", -1.0).range(-1.0, 0.0).doc("factor of theta's gradient").schedulable();
    LogitSource::describe(s);
  }

  Ctkd(const Params& p, const Ports& ports, Builder& b)
      : logits_(p, ports),
        theta_(b.parameter("theta", {1}, Init::ones())),
        start_(p.number("t_start")),
        range_(p.number("t_end")) {}

  Tensor compute(const Call& c) override {
    const LogitPair z = logits_.pair(c);
    const Tensor theta = c.part(theta_);
    const double reversal = c.number("reversal");
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher))
      return z.student.dtype() == Dtype::f32 ? by_rows<float>(c, z, theta, reversal)
                                             : by_rows<double>(c, z, theta, reversal);
    // The value of theta, with `reversal` times its gradient.
    const Tensor turned = (theta * reversal + theta.detach() * (1.0 - reversal)).to(z.student.dtype());
    const Tensor temperature = sigmoid(turned) * range_ + start_;
    c.report("temperature", temperature.detach().squeeze(0));
    const Tensor log_s = log_softmax(z.student / temperature, 1);
    const Tensor log_t = log_softmax(z.teacher / temperature, 1);
    const Tensor kl = (exp(log_t) * (log_t - log_s)).sum() / static_cast<double>(z.student.size(0));
    return (kl * square(temperature)).sum();
  }

 private:
  /// A scalar with its gradients by the student's logits and by theta.
  struct BothGradients {
    Tensor value, of_student, of_theta;
    Tensor forward(const Tensors&, Tensors& saved) {
      saved = {std::move(of_student), std::move(of_theta)};
      return std::move(value);
    }
    Tensors backward(const Tensors& saved, const Tensor& grad) {
      once_differentiable();
      return {saved[0] * grad, saved[1] * grad.to(saved[1].dtype())};
    }
  };

  template <class T>
  Tensor by_rows(const Call& c, const LogitPair& z, const Tensor& theta, double reversal) const {
    const double share = 1.0 / (1.0 + std::exp(-theta.detach().item()));
    const double temperature = start_ + range_ * share;
    c.report("temperature", Tensor::of<T>({static_cast<T>(temperature)}, {}));
    const std::int64_t n = z.student.size(0), classes = z.classes();
    const double per_sample = 1.0 / static_cast<double>(n), factor = temperature * temperature * per_sample;
    const bool wants_gradient = grad_enabled() && (z.student.requires_grad() || theta.requires_grad());
    Tensor gradient = wants_gradient ? Tensor::empty(z.student.shape(), z.student.dtype(), z.student) : Tensor();
    std::vector<double> values(static_cast<std::size_t>(n)), slopes(wants_gradient ? values.size() : 0);
    PairRows<T> rows{};
    rows.student = z.student.data<T>();
    rows.teacher = z.teacher.data<T>();
    rows.classes = classes;
    rows.student_scale = rows.teacher_scale = static_cast<T>(1.0 / temperature);
    rows.gradient_scale = static_cast<T>(factor / temperature);
    rows.gradient = wants_gradient ? gradient.mutable_data<T>() : nullptr;
    rows.value = values.data();
    PairRows<T> by_scale = rows;
    by_scale.value = slopes.data();
    parallel_for(n, row_grain(classes), [&](std::int64_t begin, std::int64_t end) {
      pair_rows(rows, Divergence::kl, begin, end);
      if (wants_gradient) kl_by_scale_rows(by_scale, begin, end);
    });
    double sum = 0, slope = 0;
    for (const double v : values) sum += v;
    for (const double v : slopes) slope += v;
    Tensor value = Tensor::of<T>({static_cast<T>(sum * factor)}, {});
    if (!wants_gradient) return value;
    // L = T^2 KL(1 / T), so dL/dT = 2 T KL - KL'.
    const double by_temperature = (2.0 * temperature * sum - slope) * per_sample;
    const double by_theta = by_temperature * range_ * share * (1.0 - share) * reversal;
    return custom_grad(
        "kdhost.ctkd",
        BothGradients{std::move(value), std::move(gradient), Tensor::of<double>({by_theta}, {1}).to(theta.dtype())},
        {z.student, theta});
  }

  LogitSource logits_;
  Slot theta_;
  double start_, range_;
};

}  // namespace kdhost::plugins
