// SPDX-License-Identifier: MIT
//
// Embeddings of both sides that are compared number by number: flattened to [N, D], with adaptor = "auto" through a
// linear layer of their own to a common width. Both layers are trained; no gradient reaches the teacher. Used by
// kdhost.cc and kdhost.crd.
#pragma once
#include <utility>

#include "loss_inputs.hpp"

namespace kdhost::plugins {

class EmbeddingPair {
 public:
  static void describe(Spec& s) {
    s.choice("adaptor", {"auto", "none"}).doc("auto: a trained linear layer on each side; none: widths must agree");
    s.integer("dim", 128).at_least(1).doc("width behind the adaptors");
    s.inputs("student.features").doc("embeddings [N, D]; maps are flattened");
    s.inputs("teacher.features").doc("as many, in the same order; D may differ with adaptor = \"auto\"");
  }

  EmbeddingPair(const Params& p, const Ports& ports, const Builder& b) : dim_(p.integer("dim")) {
    if (p.text("adaptor") == "none") return;
    const std::int64_t taps = std::min(ports.count("student.features"), ports.count("teacher.features"));
    for (std::size_t i = 0; i < static_cast<std::size_t>(taps); ++i)
      layers_.push_back({b.linear("student" + std::to_string(i), width(ports, tap_name("student", i)), dim_),
                         b.linear("teacher" + std::to_string(i), width(ports, tap_name("teacher", i)), dim_)});
  }

  bool adapted() const { return !layers_.empty(); }
  std::int64_t dim() const { return dim_; }

  std::pair<Tensor, Tensor> operator()(const Call& c, const TapPair& tap) const {
    Tensor s = tap.student.reshape({tap.student.size(0), -1}), t = tap.teacher.reshape({tap.teacher.size(0), -1});
    if (adapted()) return {layers_[tap.index].student(c, s), layers_[tap.index].teacher(c, t)};
    if (s.size(1) != t.size(1)) refuse_pair(tap, "embeddings of the same width; set adaptor = \"auto\"");
    return {std::move(s), std::move(t)};
  }

  /// Numbers of one sample.
  static std::int64_t width(const Ports& ports, const std::string& port) {
    std::int64_t n = 1;
    for (std::size_t d = 1; d < ports.shape(port).size(); ++d) n *= ports.size(port, static_cast<std::int64_t>(d));
    return n;
  }

 private:
  struct Layers {
    nn::Linear student, teacher;
  };
  std::int64_t dim_;
  std::vector<Layers> layers_;
};

}  // namespace kdhost::plugins
