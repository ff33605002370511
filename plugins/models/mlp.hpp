// SPDX-License-Identifier: MIT
//
// kdhost.mlp: fully connected layers with ReLU, any input flattened.
//
//   input -> [dropout] -> fc1 -> ReLU (tap hidden1) -> [dropout] -> fc2 -> ... -> fcL = logits
//
// With hidden = [1200, 1200] and dropout = 0.5, input_dropout = 0.2 it is the teacher of Hinton, Vinyals, Dean (arXiv
// 1503.02531), without its weight constraints. Parameters fc1.weight [out, in], fc1.bias, fc2.weight, ...; PyTorch's
// default initialisation.
#pragma once
#include <algorithm>

#include "model_inputs.hpp"
#include "perceptron_chain.hpp"

namespace kdhost::plugins {

struct Mlp final : Model {
  static void describe(Spec& s) {
    s.id("kdhost.mlp").version("1.0.0").summary("fully connected layers with ReLU; the input is flattened");
    s.source("as in Hinton, Vinyals, Dean, NIPS 2014 workshop, arXiv 1503.02531, section 3");
    s.details(
        "fc1, ReLU, fc2, ReLU, ..., the last layer gives the logits. Taps hidden1, hidden2, ... behind each ReLU, "
        "before dropout. "
        "Parameters fc1.weight [out, in], fc1.bias, and so on, with PyTorch's default initialisation.");
    s.recipe("[student]\nuse = \"kdhost.mlp\"\nparams = { hidden = [200, 200] }\n");
    s.integers("hidden", {200, 200}).at_least(1).doc("width of each hidden layer; [] is a linear classifier");
    s.number("dropout", 0.0)
        .at_least(0.0)
        .below(1.0)
        .doc("share of each hidden layer left out in training")
        .schedulable();
    s.number("input_dropout", 0.0)
        .at_least(0.0)
        .below(1.0)
        .doc("share of the input left out in training")
        .schedulable();
    describe_classes(s);
    s.input("batch.input").doc("[N, ...], flattened to [N, D]");
    s.output("logits").doc("[N, classes]");
  }

  Mlp(const Params& p, const Ports& ports, Builder& b) {
    const Shape input = ports.shape("batch.input");
    std::int64_t width = 1;
    for (std::size_t d = 1; d < input.size(); ++d) width *= ports.size("batch.input", static_cast<std::int64_t>(d));
    Shape sizes = p.integers("hidden");
    sizes.push_back(classes_of(p, ports));
    for (const std::int64_t next : sizes) {
      layers_.push_back(b.linear("fc" + std::to_string(layers_.size() + 1), width, next));
      taps_.push_back("hidden" + std::to_string(layers_.size()));
      width = next;
    }
  }

  void forward(const Call& c, Outputs& out) override {
    const double share = c.number("dropout"), input_share = c.number("input_dropout");
    Tensor x = c["batch.input"];
    if (x.dim() != 2) x = x.flatten(1);
    x = nn::Dropout{input_share}(c, x);
    if (share == 0.0 && layers_.size() > 1 && grad_enabled() && only_logits(out)) {
      out.set("logits", perceptron_chain(c, layers_, x));
      return;
    }
    for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
      x = relu_(layers_[i](c, x));
      if (out.wants(taps_[i])) out.tap(taps_[i], x);
      x = nn::Dropout{share}(c, x);
    }
    out.set("logits", layers_.back()(c, x));
  }

 private:
  bool only_logits(const Outputs& out) const {
    return std::none_of(taps_.begin(), taps_.end(), [&](const std::string& tap) { return out.wants(tap); });
  }

  std::vector<nn::Linear> layers_;
  std::vector<std::string> taps_;
};

}  // namespace kdhost::plugins
