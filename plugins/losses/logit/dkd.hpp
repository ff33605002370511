// SPDX-License-Identifier: MIT
//
// kdhost.dkd: decoupled knowledge distillation.                Zhao, Cui, Song, Qiu, Liang, CVPR 2022, arXiv 2203.08679
//
//   L    = alpha * TCKD + beta * NCKD,   p = softmax(z / T),   b = (p_y, 1 - p_y)
//   TCKD = T^2/N sum_i sum_{k=1,2} b_t,k (log b_t,k - log b_s,k)
//   NCKD = T^2/N sum_i sum_{c != y} q_t (log q_t - log q_s),   q = softmax over the C-1 logits z_c / T, c != y
//
// Variants  reduction = "sum" leaves 1/N out: what MMRazor computes when its configuration says mean.
//           standardize = true puts (z - mean) / (1e-7 + std) in place of z on both sides (Sun et al., CVPR 2024, arXiv
//           2403.01427).
// Default = mdistiller. Its ramp over the first 20 epochs is a [[schedule]] on the term's weight.
// Numerics  the other classes are selected, not masked by a large number; log b from logsumexp, never the log of a
//           summed softmax. On the CPU with contiguous logits a row at a time, value and gradient together
//           (label_rows.cpp).
#pragma once
#include "label_rows.hpp"
#include "logit_source.hpp"
#include "standardize.hpp"

namespace kdhost::plugins {

struct Dkd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.dkd")
        .version("1.1.0")
        .summary("decoupled distillation: target class and other classes weighted apart");
    s.source(
        "Zhao, Cui, Song, Qiu, Liang, Decoupled Knowledge Distillation, CVPR 2022, arXiv 2203.08679; default = "
        "mdistiller");
    s.details(
        "alpha TCKD + beta NCKD. TCKD: KL of (p_y, 1 - p_y), NCKD: KL of the softmax over the C-1 other logits, both "
        "at T, times T^2, mean over samples. Needs hard labels and at least two classes; with two classes NCKD is "
        "exactly 0. reduction = \"sum\" is N times larger (MMRazor). standardize = true standardises each row of "
        "logits first. Reports the sub-terms tckd and nckd, without their weights. Several teachers: see combine. On "
        "the CPU with contiguous logits the gradient is computed "
        "together with the value and can be taken once only (create_graph is refused).");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.dkd\"\nweight = 1.0\nparams = { beta = 8.0 }\n\n[[schedule]]\ntarget = "
        "\"loss.dkd.weight\"\n"
        "use = \"kdhost.linear\"\nparams = { from = 0.05, to = 1.0, epochs = 20 }\n");
    s.number("alpha", 1.0).at_least(0.0).doc("weight of the target-class part").schedulable();
    s.number("beta", 8.0).at_least(0.0).doc("weight of the other classes' part; the sensitive one").schedulable();
    s.number("temperature", 4.0).above(0.0).doc("softens both sides").schedulable();
    s.choice("reduction", {"batchmean", "sum"}).doc("divide by N or by nothing");
    Standardize::describe(s);
    LogitSource::describe(s, Labels::hard);
  }

  Dkd(const Params& p, const Ports& ports, Builder&)
      : logits_(p, ports), sum_(p.text("reduction") == "sum"), standardized_(p.flag("standardize")) {}

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    LogitPair z = logits_.pair(c, temperature);
    need_two_classes(z);
    const std::int64_t n = z.student.size(0), classes = z.classes();
    const Tensor label = hard_labels(c, n, classes);
    if (standardized_) z = standardize_(z);
    const double alpha = c.number("alpha"), beta = c.number("beta");
    const double factor = temperature * temperature / (sum_ ? 1.0 : static_cast<double>(n));
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher)) {
      LabelParts sums;
      LabelRowsOf of{1.0 / temperature, alpha, beta, factor, factor / temperature};
      if (c.wants("tckd")) of.parts = &sums;
      const Tensor value = sum_of_label_rows("kdhost.dkd", z, label, of, {dkd_rows, dkd_rows});
      report_number(c, "tckd", sums.target * factor);
      report_number(c, "nckd", sums.rest * factor);
      return value;
    }
    const OtherClasses others(label, classes);
    const Parts s = parts(z.student / temperature, others), t = parts(z.teacher / temperature, others);
    const Tensor target = exp(t.log_y) * (t.log_y - s.log_y) + exp(t.log_rest) * (t.log_rest - s.log_rest);
    const Tensor rest = exp(t.log_q) * (t.log_q - s.log_q);
    const Tensor tckd = target.sum() * factor, nckd = rest.sum() * factor;
    c.report("tckd", tckd);
    c.report("nckd", nckd);
    return tckd * alpha + nckd * beta;
  }

 private:
  struct Parts {
    Tensor log_y, log_rest;  // log b, [N, 1]
    Tensor log_q;            // [N, C-1]
  };
  static Parts parts(const Tensor& z, const OtherClasses& classes) {
    const Tensor rest = classes.others_of(z);
    const Tensor all = logsumexp(z, 1, true);
    return {classes.label_of(z) - all, logsumexp(rest, 1, true) - all, log_softmax(rest, 1)};
  }

  LogitSource logits_;
  Standardize standardize_;
  bool sum_, standardized_;
};

}  // namespace kdhost::plugins
