// SPDX-License-Identifier: MIT
//
// kdhost.cross_entropy: the loss against the data set's labels. Distillation losses stand beside it, none contains it.
//
//   L = mean_i -sum_c q_ic log softmax(z_i)_c,    q = (1 - s) target + s / C
//
// target is one-hot for hard labels [N] and the given probabilities for soft labels [N, C] (mixed samples); s =
// label_smoothing. Samples whose hard label is ignore_index leave numerator and denominator; where none is left the
// value is 0. On the CPU value and gradient of hard labels come from one pass over each row (softmax_rows.cpp).
#pragma once
#include "../loss_inputs.hpp"
#include "../softmax_rows.hpp"

namespace kdhost::plugins {

struct CrossEntropy final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.cross_entropy").version("1.0.0").summary("cross-entropy with the labels, hard or soft");
    s.source(
        "the task loss; equal to PyTorch's CrossEntropyLoss, label smoothing as in Szegedy et al., CVPR 2016, "
        "arXiv 1512.00567, section 7");
    s.details(
        "mean_i -sum_c q_ic log softmax(z_i)_c with q = (1 - label_smoothing) target + label_smoothing / C. Takes "
        "class "
        "probabilities [N, C] as labels too. Samples labelled ignore_index count neither above nor below the fraction; "
        "none "
        "left: 0. At least float32, log space. On the CPU with contiguous logits the gradient is computed together "
        "with the "
        "value and can be taken once only (create_graph is refused).");
    s.recipe("[[loss]]\nuse = \"kdhost.cross_entropy\"\nweight = 0.1\n");
    s.number("label_smoothing", 0.0)
        .at_least(0.0)
        .below(1.0)
        .doc("share of the target spread evenly over all classes")
        .schedulable();
    s.integer("ignore_index", -100).doc("samples with this label take no part");
    s.input("student.logits").doc("[N, C], or [N, C, H, W] with one prediction a position");
    s.input("batch.label").doc("int64 [N]; or class probabilities [N, C]");
  }

  Tensor compute(const Call& c) override {
    const Tensor z = logit_rows(c, "student.logits");
    const double smoothing = c.number("label_smoothing");
    if (is_floating(c["batch.label"].dtype())) return soft(z, c["batch.label"], smoothing);
    const std::int64_t ignored = c.integer("ignore_index");
    const Tensor y = hard_labels(c, z.size(0), z.size(1), ignored);
    if (fits_row_kernel(z))
      return z.dtype() == Dtype::f32 ? by_rows<float>(z, y, smoothing, ignored)
                                     : by_rows<double>(z, y, smoothing, ignored);
    // A sum divided by a count of at least 1: the operator's own mean of no samples would be 0 / 0.
    static const Op operation("aten::cross_entropy_loss");
    const Tensor sum = operation(
        {{"self", z}, {"target", y}, {"reduction", 2}, {"ignore_index", ignored}, {"label_smoothing", smoothing}});
    return sum / clamp_min(ne(y, ignored).sum(), 1).to(z.dtype());
  }

 private:
  static Tensor soft(const Tensor& z, const Tensor& target, double smoothing) {
    if (target.shape() != z.shape())
      refuse_shape(
          "batch.label", target,
          to_string(z.shape()) + " like 'student.logits', or hard labels, int64 [" + std::to_string(z.size(0)) + "]");
    Tensor q = target.to(z.dtype()).detach();
    if (smoothing > 0) q = q * (1.0 - smoothing) + smoothing / static_cast<double>(z.size(1));
    return -(q * log_softmax(z, 1)).sum() / static_cast<double>(z.size(0));
  }

  template <class T>
  static Tensor by_rows(const Tensor& z, const Tensor& y, double smoothing, std::int64_t ignored) {
    const std::int64_t rows = z.size(0), classes = z.size(1);
    const std::int64_t stride = y.strides()[0];
    const std::int64_t* label = y.data<std::int64_t>();
    std::int64_t counted = 0;
    for (std::int64_t i = 0; i < rows; ++i) counted += label[i * stride] != ignored;
    const double share = 1.0 / static_cast<double>(std::max<std::int64_t>(1, counted));

    const CrossEntropyRows<T> work{
        z.data<T>(),          label, stride, ignored, nullptr, nullptr, classes, static_cast<T>(smoothing),
        static_cast<T>(share)};
    return sum_of_rows<T>(
        "kdhost.cross_entropy", z, share, work,
        [](const CrossEntropyRows<T>& k, std::int64_t begin, std::int64_t end) { cross_entropy_rows(k, begin, end); });
  }
};

}  // namespace kdhost::plugins
