// SPDX-License-Identifier: MIT
//
// kdhost.lenet5: the network of LeCun, Bottou, Bengio, Haffner, Proceedings of the IEEE 86 (1998), in its present-day
// form: ReLU and max pooling in place of squashing functions and trained subsampling.
//
//   conv1 5x5, 6 -> pool 2 -> conv2 5x5, 16 -> pool 2 -> fc1 120 -> fc2 84 -> fc3 = logits
//
// Images of fewer than 32 pixels are padded by 2 in conv1, so 28 x 28 becomes the 16 x 5 x 5 of the paper.
#pragma once
#include "model_inputs.hpp"

namespace kdhost::plugins {

struct Lenet5 final : Model {
  static void describe(Spec& s) {
    s.id("kdhost.lenet5")
        .version("1.0.0")
        .summary("LeNet-5 with ReLU and max pooling, 61,706 parameters on 28 x 28 digits");
    s.source(
        "LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 86 "
        "(1998)");
    s.details(
        "conv1 5x5 to 6 channels, pool, conv2 5x5 to 16, pool, fc1 120, fc2 84, fc3. Taps conv1 and conv2 (behind the "
        "ReLU, before "
        "pooling), embedding (flattened map), hidden1, hidden2. Images below 32 pixels are padded by 2.");
    s.recipe("[student]\nuse = \"kdhost.lenet5\"\n");
    describe_classes(s);
    s.input("batch.input").doc("[N, channels, height, width], 16 pixels or more");
    s.output("logits").doc("[N, classes]");
    s.output("conv1").doc("[N, 6, height, width]");
    s.output("conv2").doc("[N, 16, ...]");
    s.output("embedding").doc("[N, 400] for 28 x 28");
    s.output("hidden1").doc("[N, 120]");
    s.output("hidden2").doc("[N, 84]");
  }

  Lenet5(const Params& p, const Ports& ports, Builder& b) {
    const ImageSize size = image_size(ports, 16);
    nn::ConvOptions first;
    const std::int64_t padding = size.height < 32 || size.width < 32 ? 2 : 0;
    first.padding = padding;
    const auto left = [padding](std::int64_t n) { return ((n + 2 * padding - 4) / 2 - 4) / 2; };
    conv1_ = b.conv2d("conv1", size.channels, 6, 5, first);
    conv2_ = b.conv2d("conv2", 6, 16, 5);
    fc1_ = b.linear("fc1", 16 * left(size.height) * left(size.width), 120);
    fc2_ = b.linear("fc2", 120, 84);
    fc3_ = b.linear("fc3", 84, classes_of(p, ports));
  }

  void forward(const Call& c, Outputs& out) override {
    const auto tap = [&](const char* name, const Tensor& x) {
      if (out.wants(name)) out.tap(name, x);
      return x;
    };
    Tensor x = max_pool2d(tap("conv1", relu_(conv1_(c, c["batch.input"]))), 2);
    x = max_pool2d(tap("conv2", relu_(conv2_(c, x))), 2);
    x = tap("embedding", x.flatten(1));
    x = tap("hidden1", relu_(fc1_(c, x)));
    x = tap("hidden2", relu_(fc2_(c, x)));
    out.set("logits", fc3_(c, x));
  }

 private:
  nn::Conv2d conv1_, conv2_;
  nn::Linear fc1_, fc2_, fc3_;
};

}  // namespace kdhost::plugins
