// SPDX-License-Identifier: MIT
//
// kdhost.gram: Gram matrices of single maps.                 after Gatys, Ecker, Bethge, CVPR 2016, arXiv 1508.06576
//
//   F is [C, HW] of one sample. Sum over taps of
//   mode = "channel"  G = F F^T / HW,  mean over N*C^2 of (G_s - G_t)^2      which channels are active together
//   mode = "spatial"  G = F^T F / C,   mean over N*(HW)^2 of (G_s - G_t)^2   which positions look alike, any channels
//   mode = "gatys"    a quarter of "channel"
//
// Our own definition: no framework has one for unequal channels. There adaptor = "auto" trains a 1x1 convolution (no
// bias) on the student, for the modes that compare channels. The larger map is pooled to the smaller. The gradient is
// hand-written (product_difference.hpp).
#pragma once
#include "product_difference.hpp"

namespace kdhost::plugins {

struct Gram final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.gram").version("1.0.0").summary("Gram matrices of the maps, over channels or over positions");
    s.source(
        "after Gatys, Ecker, Bethge, Image Style Transfer Using CNNs, CVPR 2016, arXiv 1508.06576; definition and "
        "golden value are ours");
    s.details(
        "F [C, HW] per sample. channel: G = F F^T / HW, mean squared difference over N*C^2; spatial: G = F^T F / C "
        "with each side's "
        "own C, mean over N*(HW)^2; gatys: a quarter of channel. Summed over taps; the larger map is average-pooled to "
        "the smaller. "
        "Where channels differ, adaptor = \"auto\" trains a 1x1 convolution on the student (not needed in spatial "
        "mode). The gradient can be taken once only (create_graph is refused).\n"
        "Trained: convolutions where channels differ.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.gram\"\nweight = 1.0\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    s.choice("mode", {"channel", "spatial", "gatys"}).doc("what the matrix relates");
    s.choice("adaptor", {"auto", "none"}).doc("auto: 1x1 convolution where channels differ; none: they must agree");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order");
  }

  Gram(const Params& p, const Ports& ports, Builder& b)
      : spatial_(p.text("mode") == "spatial"), quarter_(p.text("mode") == "gatys") {
    if (spatial_ || p.text("adaptor") == "none") return;
    const std::int64_t taps = std::min(ports.count("student.features"), ports.count("teacher.features"));
    adaptors_.resize(static_cast<std::size_t>(taps));
    nn::ConvOptions plain;
    plain.bias = false;
    for (std::size_t i = 0; i < adaptors_.size(); ++i) {
      const std::string student = tap_name("student", i), teacher = tap_name("teacher", i);
      if (ports.shape(student).size() != 4 || ports.shape(teacher).size() != 4) continue;  // compute says what is wrong
      const std::int64_t in = ports.size(student, 1), out = ports.size(teacher, 1);
      if (in != out) adaptors_[i] = {true, b.conv2d("adaptor" + std::to_string(i), in, out, 1, plain)};
    }
  }

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (TapPair& p : tap_pairs(c)) {
      need_maps(p);
      if (p.index < adaptors_.size() && adaptors_[p.index].used) p.student = adaptors_[p.index].conv(c, p.student);
      if (!spatial_ && p.student.size(1) != p.teacher.size(1))
        refuse_pair(p, "the same number of channels; set adaptor = \"auto\" or mode = \"spatial\"");
      pool_to_smaller(p.student, p.teacher);
      const Tensor s = sides(p.student), t = sides(p.teacher);
      sum.add(product_difference("kdhost.gram",
                                 {s, t, 1.0 / static_cast<double>(s.size(1)), 1.0 / static_cast<double>(t.size(1))}));
    }
    return sum.value(quarter_ ? 0.25 : 1.0);
  }

 private:
  struct Adaptor {
    bool used = false;
    nn::Conv2d conv{};
  };

  /// What is summed over before what is related: [N, C, HW] for positions, [N, HW, C] for channels.
  Tensor sides(const Tensor& map) const {
    const Tensor f = map.flatten(2);
    return spatial_ ? f : f.transpose(1, 2);
  }

  bool spatial_, quarter_;
  std::vector<Adaptor> adaptors_;
};

}  // namespace kdhost::plugins
