// SPDX-License-Identifier: MIT
//
// kdhost.kd: soft targets.                                  Hinton, Vinyals, Dean, NIPS 2014 workshop, arXiv 1503.02531
//
//   L = T^2 * (1/N) * sum_i sum_c p_t (log p_t - log p_s),     p = softmax(z / T)
//
// Variants  form = "ce" leaves log p_t out: the same gradient, but at equality the teacher's entropy instead of 0.
//           scale = "none" leaves T^2 out; the gradient then falls with 1/T^2.
//           reduction = "mean" divides by N*C (C times smaller, in some public codes by accident), "sum" by nothing.
//           standardize = true puts (z - mean) / (1e-7 + std) in place of z on both sides (kdhost.lskd).
// Default equal in RepDistiller, mdistiller, MMRazor and ModelOpt.
// Numerics  at least float32, log space throughout. On the CPU with contiguous logits one pass over each row gives
//           value and gradient T / N * (p_s - p_t) (pair_rows.cpp).
#pragma once
#include "divergence.hpp"
#include "logit_source.hpp"
#include "standardize.hpp"

namespace kdhost::plugins {

struct Kd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.kd")
        .version("1.1.0")
        .summary("knowledge distillation: KL divergence to the teacher's softened probabilities");
    s.source(
        "Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, NIPS 2014 workshop, arXiv "
        "1503.02531; equal in RepDistiller, mdistiller, MMRazor and ModelOpt");
    s.details(
        "T^2 (1/N) sum_i sum_c p_t (log p_t - log p_s), p = softmax(z / T). form = \"ce\" drops log p_t (not 0 at "
        "equality); scale = \"none\" drops T^2; reduction: batchmean sums over classes and averages over samples, "
        "mean divides by N*C, sum by nothing. standardize = true takes (z - mean) / (1e-7 + std) of each row first "
        "(kdhost.lskd). Maps [N, C, H, W] count as N*H*W samples. Several teachers: see combine. At least float32, "
        "log space. On the CPU with contiguous logits the gradient is computed together with the value and can be "
        "taken once only (create_graph is refused).");
    s.recipe("[[loss]]\nuse = \"kdhost.kd\"\nweight = 0.9\nparams = { temperature = 4.0 }\n");
    s.number("temperature", 4.0).above(0.0).doc("softens both sides; higher is flatter").schedulable();
    s.choice("form", {"kl", "ce"}).doc("kl: 0 at equality; ce: without the teacher's entropy");
    s.choice("scale", {"t2", "none"}).doc("t2 keeps the size of the gradient when the temperature changes");
    s.choice("reduction", {"batchmean", "mean", "sum"}).doc("divide by N, by N*C, or by nothing");
    Standardize::describe(s);
    LogitSource::describe(s);
  }

  Kd(const Params& p, const Ports& ports, Builder&)
      : logits_(p, ports),
        cross_entropy_(p.text("form") == "ce"),
        squared_(p.text("scale") == "t2"),
        by_samples_(p.text("reduction") != "sum"),
        by_classes_(p.text("reduction") == "mean"),
        standardized_(p.flag("standardize")) {}

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    LogitPair z = logits_.pair(c, temperature);
    if (standardized_) z = standardize_(z);
    DivergenceOf d;
    d.what = cross_entropy_ ? Divergence::cross_entropy : Divergence::kl;
    d.student_scale = d.teacher_scale = 1.0 / temperature;
    if (squared_) d.factor = temperature * temperature;
    if (by_samples_) d.factor /= static_cast<double>(z.student.size(0));
    if (by_classes_) d.factor /= static_cast<double>(z.classes());
    return divergence("kdhost.kd", z, d);
  }

 private:
  LogitSource logits_;
  Standardize standardize_;
  bool cross_entropy_, squared_, by_samples_, by_classes_, standardized_;
};

}  // namespace kdhost::plugins
