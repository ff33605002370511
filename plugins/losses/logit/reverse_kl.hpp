// SPDX-License-Identifier: MIT
//
// kdhost.reverse_kl: KL from the student's side.                       Gu et al., MiniLLM, ICLR 2024, arXiv 2306.08543
//
//   mean_i KL(p_s || p_t),   p = softmax(z)
//
// kdhost.jsd at beta = 1. No temperature, no T^2. Equal to Liger-Kernel's and TRL's function divided by the number of
// samples.
#pragma once
#include "divergence.hpp"
#include "logit_source.hpp"

namespace kdhost::plugins {

struct ReverseKl final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.reverse_kl")
        .version("1.0.0")
        .summary("KL divergence from the student's side: avoids what the teacher finds unlikely");
    s.source(
        "Gu et al., MiniLLM, ICLR 2024, arXiv 2306.08543; Agarwal et al. (GKD), ICLR 2024, arXiv 2306.13649; equal "
        "to Liger-Kernel and TRL at beta = 1, divided by the number of samples");
    s.details(
        "mean_i sum_c p_s (log p_s - log p_t), p = softmax(z): kdhost.jsd at beta = 1. The student may leave out "
        "modes of the teacher, but pays for what the teacher finds unlikely. No temperature, no T^2. Several "
        "teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.reverse_kl\"\nweight = 1.0\n");
    LogitSource::describe(s);
  }

  ReverseKl(const Params& p, const Ports& ports, Builder&) : logits_(p, ports) {}

  Tensor compute(const Call& c) override {
    return mean_divergence("kdhost.reverse_kl", logits_.pair(c), Divergence::reverse_kl);
  }

 private:
  LogitSource logits_;
};

}  // namespace kdhost::plugins
