// SPDX-License-Identifier: MIT
//
// kdhost.skew_kl: KL to a mixture of both sides (DistiLLM).   Ko, Kim, Chen, Yun, ICML 2024, arXiv 2402.03898
//
//   forward  mean_i KL(p_t || lambda p_t + (1 - lambda) p_s)
//   reverse  mean_i KL(p_s || lambda p_s + (1 - lambda) p_t),    p = softmax(z)
//
// Variants  form = "ce" drops sum p log p of the first argument. The published forward code is form = "ce" (the
//           teacher's entropy is missing), its reverse is the full KL.
// Numerics  where both probabilities are 0 the published code gives 0 * log 0 = NaN; here such a class counts 0.
#pragma once
#include "jsd.hpp"

namespace kdhost::plugins {

struct SkewKl final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.skew_kl").version("1.0.0").summary("skew KL: divergence to a mixture of teacher and student");
    s.source("Ko, Kim, Chen, Yun, DistiLLM, ICML 2024, arXiv 2402.03898; forward with form = \"ce\" = authors' code");
    s.details(
        "forward: mean_i KL(p_t || lambda p_t + (1 - lambda) p_s); reverse: mean_i KL(p_s || lambda p_s + (1 - "
        "lambda) p_t); p = softmax(z). The mixture keeps the gradient bounded where one side is nearly 0. form = "
        "\"ce\" drops sum p log p of the first argument: the published forward code (not 0 at equality); the "
        "published reverse is the full KL. No temperature, no T^2. Several teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.skew_kl\"\nweight = 1.0\nparams = { lambda = 0.1, direction = \"reverse\" }\n");
    s.number("lambda", 0.1).above(0.0).below(1.0).doc("share of the first argument in the mixture").schedulable();
    s.choice("direction", {"forward", "reverse"}).doc("from the teacher's side or from the student's");
    s.choice("form", {"kl", "ce"}).doc("kl: 0 at equality; ce: without the entropy of the first argument");
    LogitSource::describe(s);
  }

  SkewKl(const Params& p, const Ports& ports, Builder&) : logits_(p, ports) {
    const bool full = p.text("form") == "kl";
    if (p.text("direction") == "forward")
      what_ = full ? Divergence::skew : Divergence::skew_ce;
    else
      what_ = full ? Divergence::skew_reverse : Divergence::skew_reverse_ce;
  }

  Tensor compute(const Call& c) override {
    return mean_divergence("kdhost.skew_kl", logits_.pair(c), what_, c.number("lambda"));
  }

 private:
  LogitSource logits_;
  Divergence what_;
};

}  // namespace kdhost::plugins
