// SPDX-License-Identifier: MIT
//
// kdhost.hint: FitNets.                                                       Romero et al., ICLR 2015, arXiv 1412.6550
//
//   L = sum over taps of mean((A(f_s) - f_t)^2),   A a regressor trained with the student
//
// Adaptor   for maps, by sizes (RepDistiller's ConvReg): H_s = 2 H_t: conv 3x3, stride 2, padding 1; 2 H_s = H_t:
//           transposed conv 4x4, stride 2, padding 1; H_s >= H_t: conv of kernel 1 + H_s - H_t; then batch norm and
//           ReLU, so give it post-ReLU taps. For [N, D] and [N, length, width]: a linear layer to the teacher's width
//           where the widths differ.
// Variants  "mse" (default) = RepDistiller, mdistiller; TextBrewer's hid_mse for sequences.
//           "mmrazor_l2": both flattened and scaled to unit L2 per sample, sum of squares / N.
#pragma once
#include "../squared_difference.hpp"
#include "adaptors.hpp"

namespace kdhost::plugins {

struct Hint final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.hint")
        .version("1.0.0")
        .summary("FitNets: the student's hidden layer, through a regressor, matches the teacher's");
    s.source(
        "Romero et al., FitNets: Hints for Thin Deep Nets, ICLR 2015, arXiv 1412.6550; default = RepDistiller, "
        "mdistiller");
    s.details(
        "sum over taps of mean((A(f_s) - f_t)^2). adaptor = \"auto\" trains a regressor A with the student: for maps a "
        "convolution "
        "chosen by the two sizes, batch norm and ReLU (it can only match non-negative taps); for vectors and sequences "
        "a linear "
        "layer where the widths differ. adaptor = \"none\" compares the taps as they are. variant = \"mmrazor_l2\" "
        "scales both "
        "sides to unit length per sample and sums the squares.\n"
        "Trained: regressors. State: their running statistics.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.hint\"\nweight = 100.0\n"
        "inputs = { student = [\"layer2\"], teacher = [\"layer2\"] }\n");
    s.choice("adaptor", {"auto", "none"}).doc("auto: a trained regressor; none: shapes must agree");
    s.choice("variant", {"mse", "mmrazor_l2"}).doc("whose definition");
    s.inputs("student.features").doc("maps [N, C, H, W], vectors [N, D] or sequences [N, length, width]");
    s.inputs("teacher.features").doc("as many, in the same order");
  }

  Hint(const Params& p, const Ports& ports, Builder& b) : unit_length_(p.text("variant") == "mmrazor_l2") {
    if (p.text("adaptor") == "none") return;
    for (std::size_t i = 0; i < bound_pairs(ports); ++i)
      regressors_.push_back(regressor(ports, i, b.scope("regressor" + std::to_string(i))));
  }

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (TapPair& p : tap_pairs(c)) {
      if (p.index < regressors_.size()) p.student = regressors_[p.index](c, p.student);
      if (p.student.shape() != p.teacher.shape())
        refuse_pair(
            p, regressors_.empty() ? "equal shapes, since adaptor = \"none\"" : "equal shapes behind the regressor");
      if (unit_length_) {
        const Tensor d = normalize(p.student.flatten(1)) - normalize(p.teacher.flatten(1));
        sum.add(square(d).sum() / static_cast<double>(d.size(0)));
      } else {
        sum.add(squared_difference(p.student, p.teacher));
      }
    }
    return sum.value();
  }

 private:
  /// What stands between student and teacher at one tap; nothing where the shapes of vectors agree.
  struct Regressor {
    std::optional<nn::Linear> linear{};
    std::optional<SizeRegressor> maps{};

    Tensor operator()(const Call& c, const Tensor& x) const {
      if (linear) return (*linear)(c, x);
      return maps ? relu((*maps)(c, x)) : x;
    }
  };

  static Regressor regressor(const Ports& ports, std::size_t tap, const Builder& b) {
    const std::string student = tap_name("student", tap), teacher = tap_name("teacher", tap);
    const Shape s = ports.shape(student), t = ports.shape(teacher);
    if (s.size() != t.size() || s.size() < 2)
      refuse_ports(ports, tap, "taps of the same kind: maps, vectors or sequences");
    Regressor r;
    if (s.size() == 4)
      r.maps = size_regressor(ports, tap, b);
    else if (s.back() != t.back())
      r.linear = b.linear("linear", ports.size(student, -1), ports.size(teacher, -1));
    return r;
  }

  bool unit_length_;
  std::vector<Regressor> regressors_;
};

}  // namespace kdhost::plugins
