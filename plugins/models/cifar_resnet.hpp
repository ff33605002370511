// SPDX-License-Identifier: MIT
//
// kdhost.cifar_resnet: residual networks for small images.
//   He, Zhang, Ren, Sun, CVPR 2016, arXiv 1512.03385, section 4.2
//
//   conv1 3x3 -> bn1 -> ReLU (stem) -> three stages of n blocks, two of them halving the size -> mean -> linear
//   block: x -> conv1 -> bn1 -> ReLU -> conv2 -> bn2 -> + shortcut(x) -> ReLU;       depth = 6n + 2
//
// shortcut  "A": where size or channels change, every second pixel and zeros for the new channels, half of them before
//           and half behind; no parameters. "B": a 1x1 convolution with batch norm, layerI.0.shortcut.0 and .1.
// widths    channels of the stem and the three stages: [16, 16, 32, 64]; the x4 networks of RepDistiller are [32, 64,
//           128, 256] with shortcut "B" (resnet8x4, resnet32x4).
// Names are those of the widely used public CIFAR-10 weights, so those files load as they are. Initialisation:
// kaiming_normal (fan in) for convolutions and the linear layer's weight.
#pragma once
#include "batch_norm_relu.hpp"
#include "model_inputs.hpp"

namespace kdhost::plugins {

struct CifarResnet final : Model {
  static void describe(Spec& s) {
    s.id("kdhost.cifar_resnet")
        .version("1.0.0")
        .summary("residual networks for CIFAR: ResNet-8 to 110, also 8x4 and 32x4");
    s.source(
        "He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, CVPR 2016, arXiv 1512.03385, section 4.2");
    s.details(
        "depth = 6n + 2: n blocks of two 3x3 convolutions in each of three stages. shortcut A pads with zero channels "
        "(no parameters), "
        "B is a 1x1 convolution with batch norm. widths = [32, 64, 128, 256] with shortcut = \"B\" gives resnet8x4 and "
        "resnet32x4. "
        "Taps stem, layer1, layer2, layer3 (behind the ReLU), layer1.pre, layer2.pre, layer3.pre (before it), "
        "class_maps (the classifier at each position), embedding (pooled), "
        "logits. projector = C adds 1x1, 3x3 and 1x1 convolutions to C channels behind layer3 (tap projected), each "
        "with batch norm and ReLU, and a classifier as wide as C: a teacher's classifier fits then. Parameter names "
        "are those of the public CIFAR-10 weights: conv1.weight, layer1.0.bn1.running_mean, "
        "linear.bias.");
    s.recipe("[student]\nuse = \"kdhost.cifar_resnet\"\nparams = { depth = 20 }\n");
    s.integer("depth", 20).at_least(8).doc("6n + 2: 8, 14, 20, 32, 44, 56, 110");
    s.integers("widths", {16, 16, 32, 64}).at_least(1).doc("channels of stem and stages");
    s.choice("shortcut", {"A", "B"}).doc("A: zero-padded channels; B: 1x1 convolution with batch norm");
    s.integer("projector")
        .at_least(2)
        .doc("channels of a projector behind layer3, tap projected (kdhost.simkd); absent: no projector");
    describe_classes(s);
    s.input("batch.input").doc("[N, channels, height, width]");
    s.output("logits").doc("[N, classes]");
    s.output("stem").doc("[N, 16, 32, 32] for 32 pixels");
    for (const char* tap : {"layer1", "layer2", "layer3"}) s.output(tap).doc("end of the stage, behind the ReLU");
    for (const char* tap : {"layer1.pre", "layer2.pre", "layer3.pre"})
      s.output(tap).doc("end of the stage, before the ReLU");
    s.output("class_maps").doc("[N, classes, ...], the classifier at each position; their mean is the logits");
    s.output("embedding").doc("[N, 64], pooled");
  }

  CifarResnet(const Params& p, const Ports& ports, Builder& b) {
    const std::int64_t depth = p.integer("depth");
    if ((depth - 2) % 6 != 0)
      throw std::invalid_argument("depth is " + std::to_string(depth) +
                                  ", expected 6n + 2: 8, 14, 20, 32, 44, 56, 110");
    const Shape widths = p.integers("widths");
    if (widths.size() != 4)
      throw std::invalid_argument("widths is " + to_string(widths) + ", expected four numbers: stem and three stages");
    const bool padded = p.text("shortcut") == "A";
    const ImageSize size = image_size(ports, 4);

    stem_ = {convolution(b, "conv1", size.channels, widths[0], 3, 1), b.batch_norm2d("bn1", widths[0])};
    std::int64_t in = widths[0];
    for (std::size_t stage = 0; stage < 3; ++stage) {
      const std::int64_t out = widths[stage + 1];
      const Builder layer = b.scope("layer" + std::to_string(stage + 1));
      for (std::int64_t i = 0; i < (depth - 2) / 6; ++i) {
        const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
        stages_[stage].push_back(block(layer.scope(std::to_string(i)), in, out, stride, padded));
        in = out;
      }
    }
    if (p.has("projector")) {
      const std::int64_t width = p.integer("projector");
      const Builder projector = b.scope("projector");
      projector_ = {unit(projector, 1, in, width / 2, 1), unit(projector, 2, width / 2, width / 2, 3),
                    unit(projector, 3, width / 2, width, 1)};
      in = width;
    }
    const std::int64_t classes = classes_of(p, ports);
    linear_ = linear_layer(b, "linear", in, classes, nn::kaiming_normal_fan_in({classes, in}), usual_bias(in));
  }

  void forward(const Call& c, Outputs& out) override {
    Tensor x = unit_relu(c, stem_, c["batch.input"]);
    if (out.wants("stem")) out.tap("stem", x);
    for (std::size_t stage = 0; stage < 3; ++stage) {
      const std::string name = "layer" + std::to_string(stage + 1), before = name + ".pre";
      for (std::size_t i = 0; i + 1 < stages_[stage].size(); ++i) x = block_relu(c, stages_[stage][i], x);
      const Block& last = stages_[stage].back();
      if (out.wants(before)) {
        const Tensor pre = block_sum(c, last, x);
        out.tap(before, pre);
        x = relu(pre);
      } else {
        x = block_relu(c, last, x);
      }
      if (out.wants(name)) out.tap(name, x);
    }
    for (const Unit& u : projector_) x = unit_relu(c, u, x);
    if (!projector_.empty() && out.wants("projected")) out.tap("projected", x);
    if (out.wants("class_maps")) out.tap("class_maps", linear_(c, x.permute({0, 2, 3, 1})).permute({0, 3, 1, 2}));
    x = global_average(x);
    if (out.wants("embedding")) out.tap("embedding", x);
    out.set("logits", linear_(c, x));
  }

 private:
  struct Unit {
    nn::Conv2d conv{};
    nn::BatchNorm2d norm{};
  };
  struct Block {
    Unit first{}, second{}, shortcut{};
    enum class Shortcut { identity, padded, convolution } kind = Shortcut::identity;
    std::int64_t stride = 1, new_channels = 0;
  };

  static nn::Conv2d convolution(const Builder& b, std::string_view name, std::int64_t in, std::int64_t out,
                                std::int64_t kernel, std::int64_t stride) {
    nn::ConvOptions o;
    o.stride = stride;
    o.padding = kernel / 2;
    o.bias = false;
    o.init = nn::kaiming_normal_fan_in({out, in, kernel, kernel});
    return b.conv2d(name, in, out, kernel, o);
  }

  /// "conv1" and "bn1" by number.
  static Unit unit(const Builder& b, int number, std::int64_t in, std::int64_t out, std::int64_t kernel) {
    const std::string n = std::to_string(number);
    return {convolution(b, "conv" + n, in, out, kernel, 1), b.batch_norm2d("bn" + n, out)};
  }

  static Block block(const Builder& b, std::int64_t in, std::int64_t out, std::int64_t stride, bool padded) {
    Block k;
    k.first = {convolution(b, "conv1", in, out, 3, stride), b.batch_norm2d("bn1", out)};
    k.second = unit(b, 2, out, out, 3);
    k.stride = stride;
    k.new_channels = out - in;
    if (stride == 1 && in == out) return k;
    if (padded) {
      if (out < in)
        throw std::invalid_argument("widths shrink from " + std::to_string(in) + " to " + std::to_string(out) +
                                    ": shortcut \"A\" can only add channels; set shortcut = \"B\"");
      k.kind = Block::Shortcut::padded;
    } else {
      k.kind = Block::Shortcut::convolution;
      const Builder s = b.scope("shortcut");
      k.shortcut = {convolution(s, "0", in, out, 1, stride), s.batch_norm2d("1", out)};
    }
    return k;
  }

  static Tensor shortcut(const Call& c, const Block& k, const Tensor& x) {
    if (k.kind == Block::Shortcut::identity) return x;
    if (k.kind == Block::Shortcut::convolution) return nn::conv_bn(c, k.shortcut.conv, k.shortcut.norm, x);
    const Tensor thinned = k.stride == 1 ? x : slice(slice(x, 2, 0, {}, k.stride), 3, 0, {}, k.stride);
    const std::int64_t before = k.new_channels / 2;
    return k.new_channels == 0 ? thinned : pad(thinned, {0, 0, 0, 0, before, k.new_channels - before});
  }

  static Tensor unit_relu(const Call& c, const Unit& u, const Tensor& x) {
    return c.training() ? batch_norm_relu(c, u.norm, u.conv(c, x)) : nn::conv_bn_relu(c, u.conv, u.norm, x);
  }

  static Tensor block_sum(const Call& c, const Block& k, const Tensor& x) {
    return nn::conv_bn(c, k.second.conv, k.second.norm, unit_relu(c, k.first, x)) + shortcut(c, k, x);
  }

  static Tensor block_relu(const Call& c, const Block& k, const Tensor& x) {
    const Tensor inner = unit_relu(c, k.first, x);
    const Tensor around = shortcut(c, k, x);
    return c.training() ? batch_norm_relu(c, k.second.norm, k.second.conv(c, inner), around)
                        : frozen_conv_bn_add_relu(c, k.second.conv, k.second.norm, inner, around);
  }

  Unit stem_;
  std::array<std::vector<Block>, 3> stages_;
  std::vector<Unit> projector_;
  nn::Linear linear_;
};

}  // namespace kdhost::plugins
