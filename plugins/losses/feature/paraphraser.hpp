// SPDX-License-Identifier: MIT
//
// The auto-encoder of factor transfer, which kdhost.ktaad uses too: three convolutions to fewer channels, three
// transposed ones back, each with LeakyReLU 0.1. It is trained on the teacher's maps in a first stage; what its encoder
// says is what the student is compared with afterwards.
#pragma once
#include "adaptors.hpp"

#include <array>

namespace kdhost::plugins {

/// Three 3x3 layers that keep height and width.
class FactorLayers {
 public:
  /// `in` channels to `out`: in -> in -> out -> out. The convolutions have a bias, with or without batch norm.
  static FactorLayers encoder(const Builder& b, std::int64_t in, std::int64_t out, bool with_norm) {
    return FactorLayers(b, {in, in, out, out}, with_norm, false);
  }
  /// The way back: out -> out -> in -> in, with transposed convolutions.
  static FactorLayers decoder(const Builder& b, std::int64_t in, std::int64_t out, bool with_norm) {
    return FactorLayers(b, {out, out, in, in}, with_norm, true);
  }

  /// With `learns` false batch norm uses its running statistics and leaves them alone.
  Tensor operator()(const Call& c, Tensor x, bool learns = true) const {
    for (const Layer& layer : layers_) {
      x = transposed_ ? layer.transposed(c, x) : layer.conv(c, x);
      if (const auto& n = layer.norm; n && learns)
        x = (*n)(c, x);
      else if (n)
        x = batch_norm(x, c.part(n->weight), c.part(n->bias), c.part(n->running_mean), c.part(n->running_var), false,
                       n->momentum, n->eps);
      x = leaky_relu(x, 0.1);
    }
    return x;
  }

 private:
  struct Layer {
    nn::Conv2d conv{};
    nn::ConvTranspose2d transposed{};
    std::optional<nn::BatchNorm2d> norm{};
  };

  FactorLayers(const Builder& b, const std::array<std::int64_t, 4>& channels, bool with_norm, bool transposed)
      : transposed_(transposed) {
    nn::ConvOptions o;
    o.padding = 1;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const std::string number = std::to_string(i + 1);
      if (transposed)
        layers_[i].transposed = b.conv_transpose2d("conv" + number, channels[i], channels[i + 1], 3, o);
      else
        layers_[i].conv = b.conv2d("conv" + number, channels[i], channels[i + 1], 3, o);
      if (with_norm) layers_[i].norm = b.batch_norm2d("norm" + number, channels[i + 1]);
    }
  }

  bool transposed_;
  std::array<Layer, 3> layers_{};
};

/// Channels of the factors: a share of the teacher's, at least one.
inline std::int64_t factor_channels(std::int64_t teacher_channels, double rate) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(teacher_channels) * rate));
}

/// The parameter that tells the two stages apart; the same term in both keeps its parts.
inline void describe_phase(Spec& s) {
  s.choice("phase", {"transfer", "reconstruct"})
      .doc(
          "reconstruct: train the auto-encoder on the teacher's maps; transfer: keep it as it is and train the "
          "student");
}

/// True for phase = "reconstruct"; refuses it where there is nothing to train.
inline bool reconstructs(const Params& p) {
  const bool first = p.text("phase") == "reconstruct";
  if (first && p.text("adaptor") == "none")
    throw std::invalid_argument(
        "phase is \"reconstruct\" and adaptor is \"none\", expected adaptor = \"auto\": without the auto-encoder there "
        "is nothing to train; leave the stage out, or leave the adaptor at \"auto\"");
  return first;
}

}  // namespace kdhost::plugins
