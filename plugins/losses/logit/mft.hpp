// SPDX-License-Identifier: MIT
//
// kdhost.mft: a teacher corrected towards the label ("Minifinetuning").                             arXiv 2506.15702
//
//   L  = T^2 * mean_i KL(p' || p_s),   p' = (1 - m) p_t + m onehot(y),   p = softmax(z / T),   a = argmax p_t
//   a != y:  m = (p_a - p_y + threshold) / (1 + p_a - p_y + 1e-7)
//   a  = y:  m = (min(1, p_y + threshold) - p_a) / (1 - p_a + 1e-7)
//
// So the label's class leads by the threshold wherever the teacher errs. Default = NVIDIA ModelOpt's MFTLoss with its
// correction applied to every sample. Of several largest classes the first is a.
#pragma once
#include "label_rows.hpp"
#include "logit_source.hpp"

namespace kdhost::plugins {

struct Mft final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.mft")
        .version("1.0.0")
        .summary("corrected teacher: moved towards the label until that leads by a threshold");
    s.source("Minifinetuning, arXiv 2506.15702; default = NVIDIA ModelOpt's MFTLoss, correction on every sample");
    s.details(
        "T^2 mean_i KL(p' || p_s), p' = (1 - m) p_t + m onehot(y), p = softmax(z / T), a = argmax p_t. Where a is "
        "not y: m = (p_a - p_y + threshold) / (1 + p_a - p_y + 1e-7); else m = (min(1, p_y + threshold) - p_a) / (1 "
        "- p_a + 1e-7). Not 0 at equality. Needs hard labels. Several teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.mft\"\nweight = 1.0\nparams = { threshold = 0.2 }\n");
    s.number("temperature", 1.0).above(0.0).doc("softens both sides").schedulable();
    s.number("threshold", 0.2).range(0.0, 1.0).doc("lead of the label's class after the correction").schedulable();
    LogitSource::describe(s, Labels::hard);
  }

  Mft(const Params& p, const Ports& ports, Builder&) : logits_(p, ports) {}

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature"), threshold = c.number("threshold");
    const LogitPair z = logits_.pair(c, temperature);
    const Tensor label = hard_labels(c, z.student.size(0), z.classes());
    const double factor = temperature * temperature / static_cast<double>(z.student.size(0));
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher))
      return sum_of_label_rows("kdhost.mft", z, label,
                               {1.0 / temperature, threshold, 0.0, factor, factor / temperature}, {mft_rows, mft_rows});
    const Tensor log_s = log_softmax(z.student / temperature, 1);
    const Tensor target = corrected(softmax(z.teacher / temperature, 1), label.unsqueeze(1), threshold);
    return (xlogy(target, target) - target * log_s).sum() * factor;
  }

 private:
  static Tensor corrected(const Tensor& p_t, const Tensor& y, double threshold) {
    const ValuesIndices top = max(p_t, 1, true);
    const Tensor p_y = p_t.gather(1, y), lead = top.values - p_y;
    const Tensor wrong = (lead + threshold) / (lead + (1.0 + 1e-7));
    const Tensor right = (clamp_max(p_y + threshold, 1.0) - top.values) / (1.0 - top.values + 1e-7);
    const Tensor mix = where(eq(top.indices, y), right, wrong);
    const Tensor others = p_t * (1.0 - mix);
    return scatter_add(others, 1, y, mix);
  }

  LogitSource logits_;
};

}  // namespace kdhost::plugins
