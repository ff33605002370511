// SPDX-License-Identifier: MIT
//
// kdhost.srrl: softmax regression representation learning, the student's features judged by the teacher's classifier.
//   Yang, Martinez, Bulat, Tzimiropoulos, ICLR 2021
//
//   a = A(e_s);   L = mean((a - e_t)^2) + mean((W_t a + b_t - z_t)^2)
//
// Adaptor   A: linear layer without bias to the teacher's width, batch norm, ReLU (on maps a 1x1 convolution), so give
//           it a teacher tap that is not negative. "none": a = e_s.
// The classifier is the teacher's own: bind `teacher.classifier.weight` (and `.bias` where it has one) to its last
// layer. It is never trained. Specified are the two terms; modules, reductions and the golden values are those of
// SimKD's repository, which compares with it (our own runs of that code).
#pragma once
#include "../squared_difference.hpp"
#include "adaptors.hpp"
#include "classifier.hpp"

namespace kdhost::plugins {

struct SoftmaxRegression final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.srrl").version("1.0.0").summary("softmax regression: student features in the teacher's classifier");
    s.source(
        "Yang, Martinez, Bulat, Tzimiropoulos, Knowledge Distillation via Softmax Regression Representation Learning, "
        "ICLR 2021; default = the implementation in SimKD's repository (golden values: our own runs of its code)");
    s.details(
        "mean((a - e_t)^2) + mean((W_t a + b_t - z_t)^2), a = A(e_s), W_t and b_t the teacher's classifier, bound as "
        "parameters. adaptor = \"auto\": linear layer without bias, batch norm, ReLU, trained; \"none\": a = e_s. One "
        "tap a side, the last before the classifier; maps are averaged over their positions for the classifier.\n"
        "Trained: a layer to the teacher's width. State: its running statistics.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.srrl\"\nweight = 1.0\n[loss.inputs]\n"
        "\"student.features\"          = [\"embedding\"]\n\"teacher.features\"          = [\"embedding\"]\n"
        "\"teacher.classifier.weight\" = \"teacher:param/linear.weight\"\n"
        "\"teacher.classifier.bias\"   = \"teacher:param/linear.bias\"\n");
    s.choice("adaptor", {"auto", "none"}).doc("auto: a trained layer to the teacher's width; none: shapes must agree");
    s.inputs("student.features").doc("one tap: [N, D], or a map [N, C, H, W]");
    s.inputs("teacher.features").doc("one tap");
    s.input("teacher.logits").doc("[N, classes]");
    describe_classifier(s, false);
  }

  SoftmaxRegression(const Params& p, const Ports& ports, Builder& b) {
    if (p.text("adaptor") == "none" || bound_pairs(ports) == 0) return;
    const auto [in, out] = last_widths(ports);
    transfer_ = conv_norm(b.scope("transfer"), in, out, 1);
  }

  Tensor compute(const Call& c) override {
    TapPair p = last_tap(c);
    if (transfer_) p.student = relu((*transfer_)(c, p.student));
    need_equal_shapes(p, transfer_ ? " but for the channels: choose other taps" : "; set adaptor = \"auto\"");
    const Tensor z_t = to(logit_rows(c, "teacher.logits").detach(), p.student.dtype());
    const Tensor logits = classified(c, p.student);
    if (logits.shape() != z_t.shape())
      refuse_shape("teacher.logits", z_t,
                   to_string(logits.shape()) + ", what 'teacher.classifier.weight' makes of the features");
    const Tensor features = squared_difference(p.student, p.teacher), regression = squared_difference(logits, z_t);
    c.report("features", features);
    c.report("regression", regression);
    return features + regression;
  }

 private:
  std::optional<ConvNorm> transfer_;
};

}  // namespace kdhost::plugins
