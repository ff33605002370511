// SPDX-License-Identifier: MIT
//
// kdhost.dist: correlation of predictions instead of their divergence.
//   Huang, You, Wang, Qian, Xu, NeurIPS 2022, arXiv 2205.10536
//
//   L = T^2 [beta (1 - mean_i rho(row i)) + gamma (1 - mean_c rho(column c))]   on p = softmax(z / T)
//   rho(a, b) = a.b / (|a||b| + 1e-8) of the centred vectors
//
// Variants  "author" (default): the epsilon is added to the product of norms. "torchdistill": each norm at least 1e-8.
// T = 1 is the authors' code; T^2 for other T stands in their classification code and in MMRazor.
// Columns need two samples: with one, their correlation is 0 and the part is gamma T^2 without gradient.
// Numerics  on the CPU with contiguous logits value and gradient come from three passes over the probabilities
//           (dist_rows.cpp).
#pragma once
#include "dist_rows.hpp"
#include "logit_source.hpp"

namespace kdhost::plugins {

/// Pearson correlation of the vectors along one dimension.
inline Tensor correlation(const Tensor& s, const Tensor& t, std::int64_t along, bool clamped) {
  const Tensor a = s - s.mean({along}, true);
  const Tensor b = t - t.mean({along}, true);
  const Tensor product = (a * b).sum({along});
  const Tensor norm_a = vector_norm(a, 2, along), norm_b = vector_norm(b, 2, along);
  return clamped ? product / (clamp_min(norm_a, 1e-8) * clamp_min(norm_b, 1e-8)) : product / (norm_a * norm_b + 1e-8);
}

/// The loss with its parameters, apart from the variant; also a part of kdhost.dist_plus.
class DistOfLogits {
 public:
  static void describe(Spec& s) {
    s.number("beta", 1.0).at_least(0.0).doc("weight of the correlation within samples").schedulable();
    s.number("gamma", 1.0).at_least(0.0).doc("weight of the correlation within classes").schedulable();
    s.number("temperature", 1.0).above(0.0).doc("softens both sides").schedulable();
    LogitSource::describe(s);
  }

  DistOfLogits(const Params& p, const Ports& ports, bool clamped) : logits_(p, ports), clamped_(clamped) {}

  Tensor value(std::string_view name, const Call& c) {
    const double temperature = c.number("temperature"), beta = c.number("beta"), gamma = c.number("gamma");
    const LogitPair z = logits_.pair(c, temperature);
    need_two_classes(z);
    if (z.student.size(0) == 1)
      warn_one_("a batch of one sample has no correlation within classes: that part of the loss is constant");
    if (z.classes() == 2)
      warn_two_("with two classes the correlation within a sample is always +-1: it says only which class is larger");
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher))
      return z.student.dtype() == Dtype::f32 ? by_rows<float>(name, c, z, temperature, beta, gamma)
                                             : by_rows<double>(name, c, z, temperature, beta, gamma);
    const double squared = temperature * temperature;
    const Tensor p_s = softmax(z.student / temperature, 1);
    const Tensor p_t = softmax(z.teacher / temperature, 1);
    const Tensor inter = (1.0 - correlation(p_s, p_t, 1, clamped_).mean()) * squared;
    const Tensor intra = (1.0 - correlation(p_s, p_t, 0, clamped_).mean()) * squared;
    c.report("inter", inter);
    c.report("intra", intra);
    return inter * beta + intra * gamma;
  }

 private:
  template <class T>
  Tensor by_rows(std::string_view name, const Call& c, const LogitPair& z, double temperature, double beta,
                 double gamma) const {
    const std::int64_t n = z.student.size(0), classes = z.classes();
    const bool wants_gradient = grad_enabled() && z.student.requires_grad();
    const auto like_logits = [&] { return Tensor::empty(z.student.shape(), z.student.dtype(), z.student); };
    const Tensor p_s = like_logits(), p_t = like_logits();
    Tensor gradient = wants_gradient ? like_logits() : Tensor();
    std::vector<double> rows(static_cast<std::size_t>(n)), columns(static_cast<std::size_t>(classes));
    const double squared = temperature * temperature;
    const double row_scale = -squared * beta / static_cast<double>(n);
    const double column_scale = -squared * gamma / static_cast<double>(classes);
    const DistRows<T> work{z.student.data<T>(),
                           z.teacher.data<T>(),
                           n,
                           classes,
                           static_cast<T>(1.0 / temperature),
                           clamped_,
                           static_cast<T>(row_scale),
                           static_cast<T>(column_scale),
                           p_s.mutable_data<T>(),
                           p_t.mutable_data<T>(),
                           wants_gradient ? gradient.mutable_data<T>() : nullptr,
                           rows.data(),
                           columns.data()};
    parallel_for(n, row_grain(classes), [&](std::int64_t from, std::int64_t to) { dist_rows(work, from, to); });
    parallel_for(classes, row_grain(n), [&](std::int64_t from, std::int64_t to) { dist_columns(work, from, to); });
    if (wants_gradient)
      parallel_for(n, row_grain(classes),
                   [&](std::int64_t from, std::int64_t to) { dist_gradient_rows(work, from, to); });
    const auto apart = [&](const std::vector<double>& rho) {
      return squared * (1.0 - std::accumulate(rho.begin(), rho.end(), 0.0) / static_cast<double>(rho.size()));
    };
    report_number(c, "inter", apart(rows));
    report_number(c, "intra", apart(columns));
    double value = squared * (beta + gamma);
    for (const double rho : rows) value += row_scale * rho;
    for (const double rho : columns) value += column_scale * rho;
    Tensor scalar = Tensor::of<T>({static_cast<T>(value)}, {});
    if (!wants_gradient) return scalar;
    return custom_grad(name, KnownGradient{std::move(scalar), std::move(gradient)}, {z.student});
  }

  LogitSource logits_;
  bool clamped_;
  WarnOnce warn_one_, warn_two_;
};

struct Dist final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.dist")
        .version("1.1.0")
        .summary("Pearson correlation of predictions, within samples and within classes");
    s.source(
        "Huang, You, Wang, Qian, Xu, Knowledge Distillation from A Stronger Teacher, NeurIPS 2022, arXiv "
        "2205.10536; default = authors' code");
    s.details(
        "T^2 [beta (1 - mean rho over rows) + gamma (1 - mean rho over columns)] on softmax(z / T). rho = a.b / "
        "(|a||b| + 1e-8), both centred; variant \"torchdistill\" bounds each norm by 1e-8 from below instead. "
        "Depends on the batch: with one sample the column part is the constant gamma T^2. Reports the sub-terms inter "
        "(rows) and intra (columns), without beta and gamma. Several teachers: see combine. On the CPU with contiguous "
        "logits the gradient is computed together with the value and can be "
        "taken once only (create_graph is refused).");
    s.recipe("[[loss]]\nuse = \"kdhost.dist\"\nweight = 1.0\nparams = { beta = 2.0, gamma = 2.0 }\n");
    DistOfLogits::describe(s);
    s.choice("variant", {"author", "torchdistill"}).doc("where the epsilon stands");
  }

  Dist(const Params& p, const Ports& ports, Builder&) : dist_(p, ports, p.text("variant") == "torchdistill") {}

  Tensor compute(const Call& c) override { return dist_.value("kdhost.dist", c); }

 private:
  DistOfLogits dist_;
};

}  // namespace kdhost::plugins
