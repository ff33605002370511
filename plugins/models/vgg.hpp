// SPDX-License-Identifier: MIT
//
// kdhost.vgg: VGG-8 and VGG-13 with batch norm for small images.       Simonyan & Zisserman, ICLR 2015, arXiv 1409.1556
//
//   five blocks of 3x3 convolutions (64, 128, 256, 512, 512 channels; one each in VGG-8, two in VGG-13),
//   a 2x2 maximum behind the first three, behind the fourth too for images of 64 pixels and more; mean; linear
//
// Layout and names of RepDistiller and mdistiller: block0.0.weight (convolution), block0.1.weight (norm),
// classifier.weight. Initialisation: N(0, 2 / fan out) for convolutions, N(0, 0.01) for the classifier, biases 0.
#pragma once
#include "batch_norm_relu.hpp"
#include "model_inputs.hpp"

namespace kdhost::plugins {

struct Vgg final : Model {
  static void describe(Spec& s) {
    s.id("kdhost.vgg").version("1.0.0").summary("VGG-8 and VGG-13 with batch norm for CIFAR");
    s.source("Simonyan & Zisserman, ICLR 2015, arXiv 1409.1556; layout of RepDistiller and mdistiller");
    s.details(
        "Five blocks of 3x3 convolutions with batch norm and ReLU, one (depth 8) or two (depth 13) a block; 64, 128, "
        "256, 512, 512 "
        "channels. Taps stem (end of the first block), block1 ... block4 (behind the ReLU), block1.pre ... block4.pre "
        "(before it), "
        "embedding (pooled), logits.");
    s.recipe("[student]\nuse = \"kdhost.vgg\"\nparams = { depth = 8 }\n");
    s.integer("depth", 8).doc("8 or 13");
    describe_classes(s);
    s.input("batch.input").doc("[N, channels, height, width], 8 pixels or more");
    s.output("logits").doc("[N, classes]");
    s.output("stem").doc("[N, 64, 32, 32] for 32 pixels");
    for (const char* tap : {"block1", "block2", "block3", "block4"})
      s.output(tap).doc("end of the block, behind the ReLU");
    for (const char* tap : {"block1.pre", "block2.pre", "block3.pre", "block4.pre"})
      s.output(tap).doc("before the ReLU");
    s.output("embedding").doc("[N, 512], pooled");
  }

  Vgg(const Params& p, const Ports& ports, Builder& b) {
    const std::int64_t depth = p.integer("depth");
    if (depth != 8 && depth != 13)
      throw std::invalid_argument("depth is " + std::to_string(depth) + ", expected 8 or 13");
    const ImageSize size = image_size(ports, 8);
    four_pools_ = size.height >= 64;
    std::int64_t in = size.channels;
    for (std::size_t i = 0; i < kChannels.size(); ++i) {
      const Builder block = b.scope("block" + std::to_string(i));
      for (int k = 0; k < (depth == 8 ? 1 : 2); ++k) {
        // A block counts convolution, norm and ReLU, three places each.
        nn::ConvOptions o = same_size(1, false, nn::kaiming_normal_fan_out({kChannels[i], in, 3, 3}));
        nn::Conv2d conv = block.conv2d(std::to_string(3 * k), in, kChannels[i], 3, o);
        conv.bias = block.scope(std::to_string(3 * k)).parameter("bias", {kChannels[i]}, Init::zeros(), false);
        blocks_[i].push_back({conv, block.batch_norm2d(std::to_string(3 * k + 1), kChannels[i])});
        in = kChannels[i];
      }
    }
    classifier_ = linear_layer(b, "classifier", in, classes_of(p, ports), Init::normal(0.0, 0.01), Init::zeros());
  }

  void forward(const Call& c, Outputs& out) override {
    Tensor x = c["batch.input"];
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const std::string name = i == 0 ? "stem" : "block" + std::to_string(i);
      const std::string before = i == 0 ? std::string() : name + ".pre";
      for (std::size_t k = 0; k + 1 < blocks_[i].size(); ++k) x = unit_relu(c, blocks_[i][k], x);
      const Unit& last = blocks_[i].back();
      if (!before.empty() && out.wants(before)) {
        const Tensor pre = nn::conv_bn(c, last.conv, last.norm, x);
        out.tap(before, pre);
        x = relu(pre);
      } else {
        x = unit_relu(c, last, x);
      }
      if (out.wants(name)) out.tap(name, x);
      if (i < 3 || (i == 3 && four_pools_)) x = max_pool2d(x, 2);
    }
    x = global_average(x);
    if (out.wants("embedding")) out.tap("embedding", x);
    out.set("logits", classifier_(c, x));
  }

 private:
  struct Unit {
    nn::Conv2d conv{};
    nn::BatchNorm2d norm{};
  };
  static constexpr std::array<std::int64_t, 5> kChannels{64, 128, 256, 512, 512};

  static Tensor unit_relu(const Call& c, const Unit& u, const Tensor& x) {
    return c.training() ? batch_norm_relu(c, u.norm, u.conv(c, x)) : nn::conv_bn_relu(c, u.conv, u.norm, x);
  }

  std::array<std::vector<Unit>, 5> blocks_;
  nn::Linear classifier_;
  bool four_pools_ = false;
};

}  // namespace kdhost::plugins
