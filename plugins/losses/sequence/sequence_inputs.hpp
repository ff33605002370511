// SPDX-License-Identifier: MIT
//
// What the losses of sequences do with their inputs: the padding mask, hidden states of unequal width, means over what
// is kept.
#pragma once
#include "../loss_inputs.hpp"

namespace kdhost::plugins {

inline void describe_mask(Spec& s) {
  s.input("batch.mask").doc("[N, length], 0 where a position is padding; without it every position counts").optional();
}

/// [N, length] in the dtype of `like`, 1 for what counts; nothing where no mask is bound.
inline Tensor padding_mask(const Call& c, std::int64_t samples, std::int64_t length, const Tensor& like) {
  if (!c.has("batch.mask")) return {};
  const Tensor mask = c["batch.mask"];
  if (mask.shape() != Shape{samples, length})
    refuse_shape("batch.mask", mask, to_string({samples, length}) + ", one number a position");
  return ne(mask, 0).to(like.dtype());
}

/// Mean over the positions [N, length] that count; 0 where none does.
inline Tensor mean_of_kept(const Tensor& by_position, const Tensor& mask) {
  if (!mask) return by_position.mean();
  return (by_position * mask).sum() / clamp_min(mask.sum(), 1.0);
}

/// Hidden states [N, length, width] of both sides; where widths differ adaptor = "auto" trains a linear layer on the
/// student.
class HiddenStates {
 public:
  static void describe(Spec& s) {
    s.choice("adaptor", {"auto", "none"})
        .doc("auto: a trained linear layer on the student where widths differ; none: they must agree");
    s.inputs("student.features").doc("hidden states [N, length, width]");
    s.inputs("teacher.features").doc("as many, in the same order, of the same length");
  }

  HiddenStates(const Params& p, const Ports& ports, const Builder& b) {
    if (p.text("adaptor") == "none") return;
    const std::int64_t taps = std::min(ports.count("student.features"), ports.count("teacher.features"));
    layers_.resize(static_cast<std::size_t>(taps));
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const std::string student = tap_name("student", i), teacher = tap_name("teacher", i);
      if (ports.shape(student).size() != 3 || ports.shape(teacher).size() != 3) continue;  // taps() says what is wrong
      const std::int64_t in = ports.size(student, 2), out = ports.size(teacher, 2);
      if (in != out) layers_[i] = {true, b.linear("adaptor" + std::to_string(i), in, out)};
    }
  }

  std::vector<TapPair> taps(const Call& c) const {
    std::vector<TapPair> pairs = tap_pairs(c);
    for (TapPair& p : pairs) {
      if (p.student.dim() != 3 || p.teacher.dim() != 3 || p.student.size(1) != p.teacher.size(1))
        refuse_pair(p, "hidden states [N, length, width] of the same length");
      if (p.index < layers_.size() && layers_[p.index].used) p.student = layers_[p.index].linear(c, p.student);
      if (p.student.size(2) != p.teacher.size(2)) refuse_pair(p, "the same width; set adaptor = \"auto\"");
    }
    return pairs;
  }

 private:
  struct Layer {
    bool used = false;
    nn::Linear linear{};
  };
  std::vector<Layer> layers_;
};

}  // namespace kdhost::plugins
