// SPDX-License-Identifier: MIT
//
// kdhost.uskd: universal self-distillation, without a teacher.               Yang et al., ICCV 2023, arXiv 2303.13005
//
//   L = alpha * mean_i -p_i log s_y  +  beta * mean_i -sum_{c != y} r_c log q_c  +  mu * mean_i -sum_c t_c log w_c
//
//   s    = softmax(z), q = softmax over the C-1 logits other than y, w = softmax of a linear head on a middle layer
//   p_i  = s_y^2 + 1 - (mean of s_y^2 over the batch), without gradient
//   r    = 1 / rank over the C-1 others scaled to sum 1 (Zipf's law); ranked by
//          w_c / (1 - w_y + 1e-6) + s_c / (1 - s_y + 1e-6), largest first, without gradient
//   t    = 0.9 onehot(y) + 0.1 / C
//
// Variants  "paper" (default): as above. "author": the public code, which ranks all C classes, the label among them,
//           and in the sum has log s in place of s.
// Trained   head.weight [C, D], head.bias [C]: the head on student.features, maps averaged over their positions. It is
//           no part of the student.
#pragma once
#include "label_rows.hpp"
#include "logit_source.hpp"

namespace kdhost::plugins {

struct Uskd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.uskd").version("1.0.0").summary("self-distillation without a teacher: soft labels from the student");
    s.source(
        "Yang et al., From Knowledge Distillation to Self-Knowledge Distillation, ICCV 2023, arXiv 2303.13005; "
        "golden values our own computation: of the public code for variant \"author\", of the formula for \"paper\"");
    s.details(
        "alpha * mean -p log s_y with p = s_y^2 + 1 - batch mean of s_y^2; plus beta * cross-entropy of the C-1 "
        "others with 1/rank, ranked by student and an extra head together; plus mu * cross-entropy of that head with "
        "the label smoothed by 0.1. Targets carry no gradient. Variant \"author\" ranks the label too and adds log s "
        "instead of s. The head (linear, on student.features) is trained with the loss and is no part of the "
        "student. Reports the sub-terms target, others and head, without their weights. Needs hard labels and at "
        "least two classes; stands beside a kdhost.cross_entropy of weight 1.\n"
        "Trained: the head.");
    s.recipe("[[loss]]\nuse = \"kdhost.uskd\"\nweight = 1.0\ninputs = { \"student.features\" = \"layer3\" }\n");
    s.number("alpha", 1.0).at_least(0.0).doc("weight of the label's class").schedulable();
    s.number("beta", 0.1).at_least(0.0).doc("weight of the other classes").schedulable();
    s.number("mu", 0.005).at_least(0.0).doc("weight of the head's own training").schedulable();
    s.choice("variant", {"paper", "author"}).doc("whose ranking");
    s.input("student.logits").doc("[N, C]");
    s.input("student.features").doc("middle layer: embeddings [N, D] or maps [N, D, H, W]");
    s.input("batch.label").doc("int64 [N], hard labels");
  }

  Uskd(const Params& p, const Ports& ports, Builder& b)
      : head_(b.linear("head", ports.size("student.features", 1), ports.size("student.logits", 1))),
        as_author_(p.text("variant") == "author") {}

  Tensor compute(const Call& c) override {
    const Tensor z = logit_rows(c, "student.logits");
    const std::int64_t samples = z.size(0), classes = z.size(1);
    if (classes < 2) refuse_shape("student.logits", z, "at least two classes");
    const Tensor label = hard_labels(c, samples, classes);
    const OtherClasses of(label, classes);
    const Tensor log_s = log_softmax(z, 1), log_sy = of.label_of(log_s);
    const Tensor log_w = log_softmax(head_(c, middle(c, samples)).to(z.dtype()), 1);

    const Tensor s_y = exp(log_sy.detach());
    const Tensor p = square(s_y) + 1.0 - square(s_y).mean();
    const Tensor target = -(p * log_sy).mean();
    const Tensor log_q = log_softmax(of.others_of(z), 1);
    const Tensor others =
        -(zipf(of, log_s.detach(), log_w.detach()) * log_q).sum() * (1.0 / static_cast<double>(samples));
    const Tensor weak = -(of.label_of(log_w) * 0.9 + log_w.mean({1}, true) * 0.1).mean();
    c.report("target", target);
    c.report("others", others);
    c.report("head", weak);
    return target * c.number("alpha") + others * c.number("beta") + weak * c.number("mu");
  }

 private:
  static Tensor middle(const Call& c, std::int64_t samples) {
    const Tensor f = c["student.features"];
    if ((f.dim() != 2 && f.dim() != 4) || f.size(0) != samples)
      refuse_shape("student.features", f,
                   "embeddings [" + std::to_string(samples) + ", D] or maps [" + std::to_string(samples) +
                       ", D, H, W] of the samples of 'student.logits'");
    return f.dim() == 4 ? f.mean({2, 3}) : f;
  }

  /// [N, C-1] 1/rank of the others, scaled to sum 1.
  Tensor zipf(const OtherClasses& of, const Tensor& log_s, const Tensor& log_w) const {
    const Tensor w = exp(log_w), s = as_author_ ? log_s : exp(log_s);
    const auto share = [&](const Tensor& x) { return x / (1.0 - of.label_of(x) + 1e-6); };
    const Tensor score = share(w) + share(s);
    // The place of each class when sorted, largest first: sorting twice.
    const auto places = [](const Tensor& x) { return argsort(argsort(x, 1, true), 1); };
    const Tensor place = as_author_ ? of.others_of(places(score)) : places(of.others_of(score));
    const Tensor weight = reciprocal((place + 1).to(log_s.dtype()));
    return weight / weight.sum({1}, true);
  }

  nn::Linear head_;
  bool as_author_;
};

}  // namespace kdhost::plugins
