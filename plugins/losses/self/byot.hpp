// SPDX-License-Identifier: MIT
//
// kdhost.byot: be your own teacher, exits of the student learn from its last layer.
//   Zhang et al., ICCV 2019, arXiv 1905.08094
//
//   exit i  A_i: a shallow tap -> the width of the last map, pooled to one vector a_i; H_i: a_i -> classes, z_i =
//   H_i(a_i) L = sum over exits of w_label CE(z_i, y) + w_kd T^2 KL(softmax(z / T) || softmax(z_i / T)) + w_feature
//   |a_i - a|^2
//
// z and a are the logits and the pooled last map of the student itself, without gradient: bound as the teacher's side,
//   inputs = { student = ["layer1", "layer2"], "teacher.features" = ["student:layer3"], "teacher.logits" =
//   "student:logits" }
// KL and |.|^2 are means over samples. The last layer's own cross-entropy is kdhost.cross_entropy.
// Parts: A_i is a 1x1 convolution (no bias), batch norm and ReLU for maps, a linear layer and ReLU for vectors; H_i is
// linear. The paper leaves the bottleneck open, and its code uses deeper ones. They are trained with the student and
// belong to the term: the exported student has its last exit only.
// Weights 0.7, 0.3 and 0.03 and T = 3 are the paper's. Entry in the form of the project's specification of losses,
// which names the weights alone. Golden values are our own computation of the formula.
#pragma once
#include "../loss_inputs.hpp"

namespace kdhost::plugins {

struct BeYourOwnTeacher final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.byot").version("1.0.0").summary("be your own teacher: exits of the student learn from its last layer");
    s.source(
        "Zhang et al., Be Your Own Teacher, ICCV 2019, arXiv 1905.08094; golden value our own computation of the "
        "formula");
    s.details(
        "For each tap an exit is trained: a 1x1 convolution with batch norm and ReLU (vectors: linear and ReLU) to the "
        "width of the last tap, mean over positions a_i, linear to the classes z_i. Sum over exits of label_weight "
        "CE(z_i, y) + kd_weight T^2 KL(z || z_i) + feature_weight |a_i - a|^2, means over samples; z and a are the "
        "student's own last logits and map, bound as the teacher's side. The exits belong to the term, not to the "
        "exported student. The values in the tests are our own computation of the formula.\n"
        "Trained: the exits. State: their running statistics.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.byot\"\n"
        "inputs = { student = [\"layer1\", \"layer2\"], \"teacher.features\" = [\"student:layer3\"], "
        "\"teacher.logits\" "
        "= \"student:logits\" }\n");
    s.number("label_weight", 0.7).at_least(0.0).doc("weight of each exit's cross-entropy").schedulable();
    s.number("kd_weight", 0.3).at_least(0.0).doc("weight of the divergence to the last exit").schedulable();
    s.number("feature_weight", 0.03).at_least(0.0).doc("weight of the distance to the last features").schedulable();
    s.number("temperature", 3.0).above(0.0).doc("softmax temperature of the divergence").schedulable();
    s.inputs("student.features").doc("taps of the exits, maps [N, C, H, W] or vectors [N, D]");
    s.inputs("teacher.features").doc("one tap, the last map or vector before the classes");
    s.input("teacher.logits").doc("[N, C], the last exit");
    s.input("batch.label").doc("int64 [N]");
  }

  BeYourOwnTeacher(const Params&, const Ports& ports, Builder& b) {
    if (ports.count("teacher.features") != 1)
      throw std::invalid_argument("'teacher.features' has " + std::to_string(ports.count("teacher.features")) +
                                  " taps, expected one: the student's last map or vector");
    const std::int64_t width = ports.size("teacher.features.0", 1), classes = ports.size("teacher.logits", 1);
    for (std::int64_t i = 0; i < ports.count("student.features"); ++i) {
      const std::string port = tap_name("student", static_cast<std::size_t>(i));
      const Builder part = b.scope("exit" + std::to_string(i));
      const std::int64_t in = ports.size(port, 1);
      Exit e;
      e.of_map = ports.shape(port).size() == 4;
      if (e.of_map) {
        nn::ConvOptions plain;
        plain.bias = false;
        e.conv = part.conv2d("conv", in, width, 1, plain);
        e.norm = part.batch_norm2d("norm", width);
      } else {
        e.linear = part.linear("linear", in, width);
      }
      e.head = part.linear("head", width, classes);
      exits_.push_back(std::move(e));
    }
  }

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    const Tensor last = pooled("teacher.features.0", c.list("teacher.features").front().detach());
    const Tensor z = logit_rows(c, "teacher.logits").detach();
    const Tensor y = hard_labels(c, z.size(0), z.size(1));
    const Tensor log_t = log_softmax(z / temperature, 1);
    const Tensors taps = c.list("student.features");
    Tensor label, kd, feature;
    for (std::size_t i = 0; i < taps.size(); ++i) {
      const Tensor a = exits_[i].features(c, at_least_float32(taps[i]));
      const Tensor z_i = exits_[i].head(c, a);
      accumulate(label, cross_entropy(z_i, y));
      accumulate(kd, kl_div(log_softmax(z_i / temperature, 1), log_t, Reduction::batchmean, /*log_target=*/true));
      accumulate(feature, square(a - last).sum() / static_cast<double>(a.size(0)));
    }
    kd = kd * (temperature * temperature);
    c.report("label", label);
    c.report("kd", kd);
    c.report("feature", feature);
    return label * c.number("label_weight") + kd * c.number("kd_weight") + feature * c.number("feature_weight");
  }

 private:
  struct Exit {
    bool of_map = true;
    nn::Conv2d conv{};
    nn::BatchNorm2d norm{};
    nn::Linear linear{}, head{};
    Tensor features(const Call& c, const Tensor& x) const {
      return of_map ? norm(c, conv(c, x)).relu().mean({2, 3}) : linear(c, x).relu();
    }
  };

  static Tensor pooled(std::string_view port, const Tensor& x) {
    if (x.dim() != 2 && x.dim() != 4) refuse_shape(port, x, "a map [N, C, H, W] or vectors [N, D]");
    return x.dim() == 4 ? at_least_float32(x).mean({2, 3}) : at_least_float32(x);
  }

  std::vector<Exit> exits_;
};

}  // namespace kdhost::plugins
