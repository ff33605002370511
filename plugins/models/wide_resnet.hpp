// SPDX-License-Identifier: MIT
//
// kdhost.wrn: wide residual networks.                                Zagoruyko & Komodakis, BMVC 2016, arXiv 1605.07146
//
//   conv1 3x3 16 -> three stages of n blocks with 16k, 32k, 64k channels -> bn1 -> ReLU -> mean -> fc;  depth = 6n + 4
//   block: a = ReLU(bn1(x)); y = conv2(dropout(ReLU(bn2(conv1(a)))));
//          y + x, or y + convShortcut(a) where channels change
//
// Names are those of the authors' PyTorch port, which RepDistiller and mdistiller use: block1.layer.0.bn1.weight,
// block2.layer.0.convShortcut.weight, fc.weight. Initialisation: N(0, 2 / fan out) for convolutions, fc bias 0.
#pragma once
#include "batch_norm_relu.hpp"
#include "model_inputs.hpp"

namespace kdhost::plugins {

struct WideResnet final : Model {
  static void describe(Spec& s) {
    s.id("kdhost.wrn").version("1.0.0").summary("wide residual networks WRN-depth-width for CIFAR");
    s.source("Zagoruyko & Komodakis, Wide Residual Networks, BMVC 2016, arXiv 1605.07146");
    s.details(
        "depth = 6n + 4, width multiplies 16, 32, 64 channels: WRN-16-2, WRN-40-1, WRN-40-2. Activations come before "
        "convolutions, so "
        "the taps are: stem (first convolution), block1, block2, block3 (sums at the end of each stage, before norm "
        "and ReLU), "
        "block1.pre, block2.pre, block3.pre (behind the next batch norm, before its ReLU), block3.act (behind it), "
        "embedding "
        "(pooled), logits. Names as in RepDistiller.");
    s.recipe("[student]\nuse = \"kdhost.wrn\"\nparams = { depth = 16, width = 2 }\n");
    s.integer("depth", 16).at_least(10).doc("6n + 4: 10, 16, 22, 28, 40");
    s.integer("width", 2).at_least(1).doc("multiplies the channels");
    s.number("dropout", 0.0)
        .at_least(0.0)
        .below(1.0)
        .doc("between the two convolutions of a block, in training")
        .schedulable();
    describe_classes(s);
    s.input("batch.input").doc("[N, channels, height, width]");
    s.output("logits").doc("[N, classes]");
    s.output("stem").doc("[N, 16, 32, 32] for 32 pixels");
    for (const char* tap : {"block1", "block2", "block3"}) s.output(tap).doc("end of the stage: the sum");
    for (const char* tap : {"block1.pre", "block2.pre", "block3.pre"}) s.output(tap).doc("behind the next batch norm");
    s.output("block3.act").doc("behind the last ReLU, the map that is pooled");
    s.output("embedding").doc("[N, 64 width], pooled");
  }

  WideResnet(const Params& p, const Ports& ports, Builder& b) {
    const std::int64_t depth = p.integer("depth"), width = p.integer("width");
    if ((depth - 4) % 6 != 0)
      throw std::invalid_argument("depth is " + std::to_string(depth) + ", expected 6n + 4: 10, 16, 22, 28, 40");
    const ImageSize size = image_size(ports, 4);
    stem_ = convolution(b, "conv1", size.channels, 16, 3, 1);
    std::int64_t in = 16;
    for (std::size_t stage = 0; stage < 3; ++stage) {
      const std::int64_t out = (std::int64_t{16} << stage) * width;
      const Builder layer = b.scope("block" + std::to_string(stage + 1)).scope("layer");
      for (std::int64_t i = 0; i < (depth - 4) / 6; ++i) {
        const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
        stages_[stage].push_back(block(layer.scope(std::to_string(i)), in, out, stride));
        in = out;
      }
    }
    norm_ = b.batch_norm2d("bn1", in);
    fc_ = linear_layer(b, "fc", in, classes_of(p, ports), nn::detail::usual(static_cast<double>(in)), Init::zeros());
  }

  void forward(const Call& c, Outputs& out) override {
    const nn::Dropout drop{c.number("dropout")};
    Tensor x = stem_(c, c["batch.input"]);
    if (out.wants("stem")) out.tap("stem", x);
    for (std::size_t stage = 0; stage < 3; ++stage) {
      const std::string name = "block" + std::to_string(stage + 1);
      for (std::size_t i = 0; i < stages_[stage].size(); ++i) {
        const Block& k = stages_[stage][i];
        // The batch norm that opens a stage gives the "pre" tap of the stage before it.
        const std::string before = stage > 0 && i == 0 ? "block" + std::to_string(stage) + ".pre" : std::string();
        x = apply(c, k, x, activated(c, k.norm1, x, before, out), drop);
      }
      if (out.wants(name)) out.tap(name, x);
    }
    x = activated(c, norm_, x, "block3.pre", out);
    if (out.wants("block3.act")) out.tap("block3.act", x);
    x = global_average(x);
    if (out.wants("embedding")) out.tap("embedding", x);
    out.set("logits", fc_(c, x));
  }

 private:
  struct Block {
    nn::BatchNorm2d norm1{}, norm2{};
    nn::Conv2d conv1{}, conv2{}, shortcut{};
    bool changes = false;
  };

  static nn::Conv2d convolution(const Builder& b, std::string_view name, std::int64_t in, std::int64_t out,
                                std::int64_t kernel, std::int64_t stride) {
    nn::ConvOptions o;
    o.stride = stride;
    o.padding = kernel / 2;
    o.bias = false;
    o.init = nn::kaiming_normal_fan_out({out, in, kernel, kernel});
    return b.conv2d(name, in, out, kernel, o);
  }

  static Block block(const Builder& b, std::int64_t in, std::int64_t out, std::int64_t stride) {
    Block k;
    k.norm1 = b.batch_norm2d("bn1", in);
    k.conv1 = convolution(b, "conv1", in, out, 3, stride);
    k.norm2 = b.batch_norm2d("bn2", out);
    k.conv2 = convolution(b, "conv2", out, out, 3, 1);
    k.changes = in != out;
    if (k.changes) k.shortcut = convolution(b, "convShortcut", in, out, 1, stride);
    return k;
  }

  /// ReLU(norm(x)); the value in between goes to the tap `before` if that has a name and is wanted.
  static Tensor activated(const Call& c, const nn::BatchNorm2d& norm, const Tensor& x, const std::string& before,
                          Outputs& out) {
    if (before.empty() || !out.wants(before)) return batch_norm_relu(c, norm, x);
    const Tensor pre = norm(c, x);
    out.tap(before, pre);
    return relu(pre);
  }

  static Tensor apply(const Call& c, const Block& k, const Tensor& x, const Tensor& a, const nn::Dropout& drop) {
    const Tensor inner =
        c.training() ? batch_norm_relu(c, k.norm2, k.conv1(c, a)) : nn::conv_bn_relu(c, k.conv1, k.norm2, a);
    const Tensor y = k.conv2(c, drop(c, inner));
    return y + (k.changes ? k.shortcut(c, a) : x);
  }

  nn::Conv2d stem_;
  std::array<std::vector<Block>, 3> stages_;
  nn::BatchNorm2d norm_;
  nn::Linear fc_;
};

}  // namespace kdhost::plugins
