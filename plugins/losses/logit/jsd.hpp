// SPDX-License-Identifier: MIT
//
// kdhost.jsd: generalised Jensen-Shannon divergence (GKD).            Agarwal et al., ICLR 2024, arXiv 2306.13649
//
//   M   = beta p_t + (1 - beta) p_s,   p = softmax(z)
//   JSD = mean_i [ beta KL(p_t || M) + (1 - beta) KL(p_s || M) ]
//         beta = 0: KL(p_t || p_s); beta = 1: KL(p_s || p_t)
//
// No temperature, no T^2. Equal to Liger-Kernel's and TRL's function divided by the number of samples. Not continuous
// at the ends: beta -> 0 tends to 0, while beta = 0 does not; a schedule that walks beta into 0 or 1 jumps there.
#pragma once
#include "divergence.hpp"
#include "logit_source.hpp"

namespace kdhost::plugins {

struct Jsd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.jsd")
        .version("1.0.0")
        .summary("generalised Jensen-Shannon divergence: between KL from the teacher and KL from the student");
    s.source(
        "Agarwal et al., On-Policy Distillation of Language Models (GKD), ICLR 2024, arXiv 2306.13649; equal to "
        "Liger-Kernel and TRL divided by the number of samples");
    s.details(
        "mean_i [beta KL(p_t || M) + (1 - beta) KL(p_s || M)], M = beta p_t + (1 - beta) p_s, p = softmax(z). beta = "
        "0 is KL(p_t || p_s), beta = 1 is KL(p_s || p_t). Not continuous at these ends: towards 0 the value tends to "
        "0, at 0 it does not, so a schedule that walks beta into 0 or 1 jumps there. No temperature, no T^2. Several "
        "teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.jsd\"\nweight = 1.0\nparams = { beta = 0.5 }\n");
    s.number("beta", 0.5).range(0.0, 1.0).doc("share of the teacher in the mixture").schedulable();
    LogitSource::describe(s);
  }

  Jsd(const Params& p, const Ports& ports, Builder&) : logits_(p, ports) {}

  Tensor compute(const Call& c) override {
    const double beta = c.number("beta");
    const Divergence what = beta <= 0 ? Divergence::kl : beta >= 1 ? Divergence::reverse_kl : Divergence::jensen;
    return mean_divergence("kdhost.jsd", logits_.pair(c), what, beta);
  }

 private:
  LogitSource logits_;
};

}  // namespace kdhost::plugins
