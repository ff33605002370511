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
//           summed softmax.
#pragma once
#include "standardize.hpp"

namespace kdhost::plugins {

struct Dkd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.dkd")
        .version("1.0.0")
        .summary("decoupled distillation: target class and other classes weighted apart");
    s.source(
        "Zhao, Cui, Song, Qiu, Liang, Decoupled Knowledge Distillation, CVPR 2022, arXiv 2203.08679; default = "
        "mdistiller");
    s.details(
        "alpha TCKD + beta NCKD. TCKD: KL of (p_y, 1 - p_y), NCKD: KL of the softmax over the C-1 other logits, both "
        "at T, times "
        "T^2, mean over samples. Needs hard labels and at least two classes; with two classes NCKD is exactly 0. "
        "reduction = "
        "\"sum\" is N times larger (MMRazor). standardize = true standardises each row of logits first.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.dkd\"\nweight = 1.0\nparams = { beta = 8.0 }\n\n[[schedule]]\ntarget = "
        "\"loss.dkd.weight\"\n"
        "use = \"kdhost.linear\"\nparams = { from = 0.05, to = 1.0, epochs = 20 }\n");
    s.number("alpha", 1.0).at_least(0.0).doc("weight of the target-class part").schedulable();
    s.number("beta", 8.0).at_least(0.0).doc("weight of the other classes' part; the sensitive one").schedulable();
    s.number("temperature", 4.0).above(0.0).doc("softens both sides").schedulable();
    s.choice("reduction", {"batchmean", "sum"}).doc("divide by N or by nothing");
    s.flag("standardize", false).doc("standardise each row of logits first, both sides");
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
    s.input("batch.label").doc("int64 [N], hard labels");
  }

  explicit Dkd(const Params& p) : sum_(p.text("reduction") == "sum"), standardize_(p.flag("standardize")) {}

  Tensor compute(const Call& c) override {
    LogitPair z = logit_pair(c);
    need_two_classes(z);
    const std::int64_t n = z.student.size(0), classes = z.classes();
    const Tensor y = hard_labels(c, n, classes).unsqueeze(1);
    if (standardize_) {
      warn_if_two_classes(z, warn_);
      z = {standardized(z.student), standardized(z.teacher)};
    }
    const double temperature = c.number("temperature");
    // Columns of the other classes: 0 ... C-2, moved up by one from y on.
    const Tensor column = arange(classes - 1, Dtype::i64, y).unsqueeze(0);
    const Tensor others = column + ge(column, y).to(Dtype::i64);
    const Parts s = parts(z.student / temperature, y, others);
    const Tensor value = [&] {
      const Parts t = parts(z.teacher / temperature, y, others);
      const Tensor target = exp(t.log_y) * (t.log_y - s.log_y) + exp(t.log_rest) * (t.log_rest - s.log_rest);
      const Tensor rest = exp(t.log_q) * (t.log_q - s.log_q);
      return target.sum() * c.number("alpha") + rest.sum() * c.number("beta");
    }();
    return value * (temperature * temperature / (sum_ ? 1.0 : static_cast<double>(n)));
  }

 private:
  struct Parts {
    Tensor log_y, log_rest;  // log b, [N, 1]
    Tensor log_q;            // [N, C-1]
  };
  static Parts parts(const Tensor& z, const Tensor& y, const Tensor& others) {
    const Tensor rest = z.gather(1, others);
    const Tensor all = logsumexp(z, 1, true);
    return {z.gather(1, y) - all, logsumexp(rest, 1, true) - all, log_softmax(rest, 1)};
  }

  bool sum_, standardize_;
  WarnOnce warn_;
};

}  // namespace kdhost::plugins
