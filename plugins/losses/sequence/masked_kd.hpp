// SPDX-License-Identifier: MIT
//
// kdhost.masked_kd: soft targets for each position of a sequence, padding left out.     Hinton et al., arXiv 1503.02531
//
//   T^2 mean over the positions that count of KL(p_t || p_s),  p = softmax(z / T), z [N, length, C]
//
// Variants as in kdhost.kd: form = "ce" drops the teacher's entropy, scale = "none" leaves out T^2; with both it is
// TextBrewer's kd_ce_loss over the kept positions. A model that predicts the next symbol has one prediction less than
// positions: bind a mask of the predictions, not of the inputs.
#pragma once
#include "sequence_inputs.hpp"

namespace kdhost::plugins {

struct MaskedKd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.masked_kd").version("1.0.0").summary("knowledge distillation at each position, padding left out");
    s.source(
        "Hinton, Vinyals, Dean, arXiv 1503.02531, for sequences; with form = \"ce\" and scale = \"none\" = "
        "TextBrewer's "
        "kd_ce_loss, arXiv 2002.12620");
    s.details(
        "T^2 mean over the positions that the mask keeps of KL(p_t || p_s), p = softmax(z / T), z [N, length, C]. form "
        "= \"ce\" drops the teacher's entropy, scale = \"none\" leaves out T^2. No position kept: 0.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.masked_kd\"\nparams = { temperature = 4.0 }\n"
        "inputs = { \"batch.mask\" = \"mask\" }\n");
    s.number("temperature", 4.0).above(0.0).doc("softmax temperature of both sides").schedulable();
    s.choice("form", {"kl", "ce"}).doc("ce: without the teacher's entropy");
    s.choice("scale", {"t2", "none"}).doc("factor T^2");
    s.input("student.logits").doc("[N, length, C]");
    s.input("teacher.logits").doc("[N, length, C]");
    describe_mask(s);
  }
  explicit MaskedKd(const Params& p) : entropy_(p.text("form") == "kl"), squared_(p.text("scale") == "t2") {}

  Tensor compute(const Call& c) override {
    const Tensor z_s = c["student.logits"], z_t = c["teacher.logits"];
    if (z_s.dim() != 3) refuse_shape("student.logits", z_s, "[N, length, C]");
    check_samples("student.logits", z_s);
    if (z_t.shape() != z_s.shape())
      refuse_shape("teacher.logits", z_t, to_string(z_s.shape()) + " like 'student.logits'");
    const double temperature = c.number("temperature");
    const Tensor s = at_least_float32(z_s);
    const Tensor log_s = log_softmax(s / temperature, 2);
    const Tensor log_t = log_softmax(z_t.detach().to(s.dtype()) / temperature, 2);
    const Tensor p_t = exp(log_t);
    // log p_t - log p_s before the product: at equality it is exactly 0.
    const Tensor by_position = (p_t * (entropy_ ? log_t - log_s : -log_s)).sum({2});
    const Tensor mean = mean_of_kept(by_position, padding_mask(c, s.size(0), s.size(1), s));
    return squared_ ? mean * (temperature * temperature) : mean;
  }

 private:
  bool entropy_, squared_;
};

}  // namespace kdhost::plugins
