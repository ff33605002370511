// SPDX-License-Identifier: MIT
// A model: two blocks of convolution, batch norm and ReLU, each with a tap, then the mean over the map and a linear
// layer. The parameters are named block1.conv.weight, block1.norm.weight, ..., fc.weight, as PyTorch would name them.
#include <kdhost/plugin.hpp>
using namespace kdhost;

namespace {

class Block {
 public:
  Block(const Builder& b, std::int64_t in, std::int64_t out)
      : conv_(b.conv2d("conv", in, out, 3, same_size())), norm_(b.batch_norm2d("norm", out)) {}
  /// One convolution in evaluation, with the norm folded in; see nn.hpp.
  Tensor operator()(const Call& c, const Tensor& x) const { return nn::conv_bn_relu(c, conv_, norm_, x); }

 private:
  static nn::ConvOptions same_size() {
    nn::ConvOptions o;
    o.padding = 1;
    o.bias = false;  // the norm has one
    return o;
  }
  nn::Conv2d conv_;
  nn::BatchNorm2d norm_;
};

struct SmallNet final : Model {
  static void describe(Spec& s) {
    s.id("example.small_net").version("1.0.0").summary("two convolutions with batch norm and a linear layer");
    s.integer("width", 16).range(1, 4096).doc("channels of the first block; the second has twice as many");
    s.number("dropout", 0.0).at_least(0.0).below(1.0).doc("before the linear layer").schedulable();
    s.input("batch.input").doc("[N, channels, height, width]");
    s.output("logits").doc("[N, classes]");
    s.output("block1").doc("[N, width, height, width of the image]");
    s.output("block2").doc("[N, 2 width, half of both sizes]");
    s.output("embedding").doc("[N, 2 width]");
  }

  SmallNet(const Params& p, const Ports& ports, Builder& b)
      : block1_(b.scope("block1"), ports.size("batch.input", 1), p.integer("width")),
        block2_(b.scope("block2"), p.integer("width"), 2 * p.integer("width")),
        fc_(b.linear("fc", 2 * p.integer("width"), ports.classes())) {}

  void forward(const Call& c, Outputs& out) override {
    const Tensor x1 = block1_(c, c["batch.input"]);
    out.tap("block1", x1);
    const Tensor x2 = block2_(c, max_pool2d(x1, 2));
    out.tap("block2", x2);
    const Tensor embedding = x2.mean({2, 3});
    out.tap("embedding", embedding);
    out.set("logits", fc_(c, nn::Dropout{c.number("dropout")}(c, embedding)));
  }

 private:
  Block block1_, block2_;
  nn::Linear fc_;
};

}  // namespace

KDHOST_PLUGIN("example.small_net", "1.0.0", SmallNet)
