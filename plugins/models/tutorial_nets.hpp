// SPDX-License-Identifier: MIT
//
// kdhost.tutorial_deep and kdhost.tutorial_light: teacher and student of PyTorch's knowledge-distillation tutorial
// (pytorch.org/tutorials, knowledge_distillation_tutorial), with its parameter names.
//
//   deep   conv 128 - conv 64 - pool - conv 64 - conv 32 - pool - linear 512 - dropout - linear    1,186,986 parameters
//   light  conv 16 - pool - conv 16 - pool - linear 256 - dropout - linear                           267,738 parameters
//
// (3 x 32 x 32 images, 10 classes.) All convolutions 3x3 with padding and ReLU; pooling 2x2 by the maximum.
#pragma once
#include "model_inputs.hpp"

namespace kdhost::plugins {

/// Both networks: convolutions (a pool behind some) named features.I as in a torch::nn::Sequential, then two linear
/// layers.
class TutorialNet : public Model {
 public:
  struct Step {
    const char* name;  // place in "features"
    std::int64_t channels;
    bool pool_behind;
  };

  void forward(const Call& c, Outputs& out) override {
    const auto tap = [&](const std::string& name, const Tensor& x) {
      if (out.wants(name)) out.tap(name, x);
      return x;
    };
    Tensor x = c["batch.input"];
    for (std::size_t i = 0; i < convolutions_.size(); ++i) {
      x = tap("conv" + std::to_string(i + 1), relu_(convolutions_[i](c, x)));
      if (pools_[i]) x = max_pool2d(x, 2);
    }
    x = tap("embedding", tap("features", x).flatten(1));
    x = tap("hidden", relu_(hidden_(c, x)));
    out.set("logits", last_(c, nn::Dropout{c.number("dropout")}(c, x)));
  }

 protected:
  static void describe_common(Spec& s) {
    s.source("PyTorch tutorial \"Knowledge Distillation Tutorial\" (A. Chariton)");
    s.number("dropout", 0.1).at_least(0.0).below(1.0).doc("between the two linear layers, in training").schedulable();
    describe_classes(s);
    s.input("batch.input").doc("[N, channels, height, width]");
    s.output("logits").doc("[N, classes]");
    s.output("features").doc("last map, pooled");
    s.output("embedding").doc("the same flattened, [N, D]");
    s.output("hidden").doc("behind the first linear layer's ReLU");
  }

  TutorialNet(const Params& p, const Ports& ports, Builder& b, const std::vector<Step>& steps, std::int64_t hidden) {
    ImageSize size = image_size(ports, 4);
    const Builder features = b.scope("features");
    for (const Step& s : steps) {
      convolutions_.push_back(features.conv2d(s.name, size.channels, s.channels, 3, same_size(1, true)));
      pools_.push_back(s.pool_behind);
      size.channels = s.channels;
      if (s.pool_behind) size = {size.channels, size.height / 2, size.width / 2};
    }
    const Builder classifier = b.scope("classifier");
    hidden_ = classifier.linear("0", size.channels * size.height * size.width, hidden);
    last_ = classifier.linear("3", hidden, classes_of(p, ports));
  }

 private:
  std::vector<nn::Conv2d> convolutions_;
  std::vector<bool> pools_;
  nn::Linear hidden_, last_;
};

struct TutorialDeep final : TutorialNet {
  static void describe(Spec& s) {
    s.id("kdhost.tutorial_deep")
        .version("1.0.0")
        .summary("teacher of PyTorch's distillation tutorial, 1.2 million parameters");
    s.details(
        "conv 128 - 64 - pool - 64 - 32 - pool - linear 512 - dropout - linear. Taps conv1 ... conv4 (behind the "
        "ReLU), features "
        "[N, 32, 8, 8] for 32 pixels, embedding, hidden.");
    s.recipe("[teacher]\nuse = \"kdhost.tutorial_deep\"\nfrom = \"teacher.toml\"\n");
    describe_common(s);
    for (const char* tap : {"conv1", "conv2", "conv3", "conv4"}) s.output(tap).doc("behind the ReLU");
  }
  TutorialDeep(const Params& p, const Ports& ports, Builder& b)
      : TutorialNet(p, ports, b, {{"0", 128, false}, {"2", 64, true}, {"5", 64, false}, {"7", 32, true}}, 512) {}
};

struct TutorialLight final : TutorialNet {
  static void describe(Spec& s) {
    s.id("kdhost.tutorial_light")
        .version("1.0.0")
        .summary("student of PyTorch's distillation tutorial, 0.27 million parameters");
    s.details(
        "conv 16 - pool - 16 - pool - linear 256 - dropout - linear. Taps conv1, conv2 (behind the ReLU), features [N, "
        "16, 8, 8] "
        "for 32 pixels, embedding, hidden.");
    s.recipe("[student]\nuse = \"kdhost.tutorial_light\"\n");
    describe_common(s);
    for (const char* tap : {"conv1", "conv2"}) s.output(tap).doc("behind the ReLU");
  }
  TutorialLight(const Params& p, const Ports& ports, Builder& b)
      : TutorialNet(p, ports, b, {{"0", 16, true}, {"3", 16, true}}, 256) {}
};

}  // namespace kdhost::plugins
