// SPDX-License-Identifier: MIT
//
// kdhost.focal: cross-entropy in which samples that are right already weigh little.
//   Lin, Goyal, Girshick, He, Dollar, ICCV 2017, arXiv 1708.02002
//
//   form = "softmax" (default)  mean_i -(1 - p_y)^gamma log p_y,  p = softmax(z)
//   form = "sigmoid"            mean over all entries of a (1 - q)^gamma BCE(z, y), q the probability given to the
//                               truth, a = alpha where y is 1 and 1 - alpha where it is 0: the paper's, as torchvision
//                               has it
//
// gamma = 0 is the cross-entropy itself (sigmoid: with alpha's weights).
#pragma once
#include "task_targets.hpp"

namespace kdhost::plugins {

struct Focal final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.focal").version("1.0.0").summary("focal loss: what is right already weighs little");
    s.source(
        "Lin, Goyal, Girshick, He, Dollar, Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002; "
        "golden value our own computation of the formula");
    s.details(
        "softmax: mean_i -(1 - p_y)^gamma log p_y; class probabilities [N, C] as labels weigh the classes' terms. "
        "sigmoid: mean over all entries of a (1 - q)^gamma BCE, q the probability given to the truth, a = alpha where "
        "it is yes, 1 - alpha where no (torchvision's sigmoid_focal_loss).");
    s.recipe("[[loss]]\nuse = \"kdhost.focal\"\nparams = { gamma = 2.0 }\n");
    s.number("gamma", 2.0).at_least(0.0).doc("how much less the sure ones weigh; 0: cross-entropy").schedulable();
    s.number("alpha", 0.25).range(0.0, 1.0).doc("sigmoid: weight of yes; no has 1 - alpha").schedulable();
    s.choice("form", {"softmax", "sigmoid"}).doc("one class of several, or a yes or no for each entry");
    describe_task_ports(s, "class numbers [N] or probabilities [N, C]; sigmoid: like kdhost.bce");
  }

  explicit Focal(const Params& p) : sigmoid_(p.text("form") == "sigmoid") {}

  Tensor compute(const Call& c) override { return sigmoid_ ? by_entry(c) : by_class(c); }

 private:
  static constexpr std::int64_t kNobody = -1;  // no label is left out

  /// x^gamma for x in [0, 1]; the floor keeps the gradient finite at 0 for gamma < 1.
  static Tensor raised(const Tensor& x, double gamma) { return clamp_min(x, 1e-12).pow(gamma); }

  static Tensor by_class(const Call& c) {
    const Tensor z = logit_rows(c, "student.logits");
    const double gamma = c.number("gamma");
    if (is_floating(c["batch.label"].dtype())) {
      const Tensor y = targets_like(c, z, ", or class numbers, int64 [" + std::to_string(z.size(0)) + "]");
      const Tensor log_p = log_softmax(z, 1);
      return -(y * raised(-expm1(log_p), gamma) * log_p).sum() / static_cast<double>(z.size(0));
    }
    const Tensor labels = hard_labels(c, z.size(0), z.size(1));
    if (fits_row_kernel(z))
      return z.dtype() == Dtype::f32 ? by_rows<float>(z, labels, gamma) : by_rows<double>(z, labels, gamma);
    const Tensor log_p = log_softmax(z, 1);
    const Tensor of_truth = log_p.gather(1, labels.unsqueeze(1));
    return -(raised(-expm1(of_truth), gamma) * of_truth).mean();
  }

  template <class T>
  static Tensor by_rows(const Tensor& z, const Tensor& labels, double gamma) {
    const double share = 1.0 / static_cast<double>(z.size(0));
    const CrossEntropyRows<T> work{
        z.data<T>(), labels.data<std::int64_t>(), labels.strides()[0],  kNobody, nullptr, nullptr, z.size(1),
        T(0),        static_cast<T>(share),       static_cast<T>(gamma)};
    return sum_of_rows<T>(
        "kdhost.focal", z, share, work,
        [](const CrossEntropyRows<T>& k, std::int64_t begin, std::int64_t end) { cross_entropy_rows(k, begin, end); });
  }

  static Tensor by_entry(const Call& c) {
    const Tensor z = predictions(c), y = yes_or_no(c, z);
    const double alpha = c.number("alpha");
    const Tensor missed = y * sigmoid(-z) + (1.0 - y) * sigmoid(z);
    const Tensor entropy = -(y * logsigmoid(z) + (1.0 - y) * logsigmoid(-z));
    return ((y * (2.0 * alpha - 1.0) + (1.0 - alpha)) * raised(missed, c.number("gamma")) * entropy).mean();
  }

  bool sigmoid_;
};

}  // namespace kdhost::plugins
