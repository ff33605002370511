// SPDX-License-Identifier: MIT
// The shipped networks: parameter names and counts of the public weights, every parameter trained, declared taps
// present, folded evaluation equal to the plain one.
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <catch2/catch.hpp>
#include <set>

#include "model_case.hpp"

using namespace kdhost;
using namespace kdhost::test;
using Catch::Matchers::Contains;
using S = std::string;

namespace {

constexpr const char* kLibrary = "kdhost_models";

at::Tensor images(int64_t n = 4, int64_t channels = 3, int64_t size = 32) {
  return generated({n, channels, size, size}, 41).to(at::kFloat);
}

int64_t parameters(const std::string& id, const Settings& settings, int64_t classes,
                   const at::Tensor& input = images(1)) {
  return ModelCase(kLibrary, id, settings, {input}, classes).parts().count_parameters();
}

struct Net {
  const char* id;
  Settings settings;
  at::Tensor input;
};

std::vector<Net> nets() {
  return {{"kdhost.mlp", {{"hidden", std::vector<int64_t>{32, 16}}}, images(4, 1, 8)},
          {"kdhost.lenet5", {}, images(4, 1, 28)},
          {"kdhost.tutorial_deep", {}, images(2)},
          {"kdhost.tutorial_light", {}, images()},
          {"kdhost.cifar_resnet", {{"depth", 8.0}}, images()},
          {"kdhost.cifar_resnet",
           {{"depth", 8.0}, {"shortcut", S("B")}, {"widths", std::vector<int64_t>{32, 64, 128, 256}}},
           images(2)},
          {"kdhost.wrn", {{"depth", 10.0}, {"width", 2.0}}, images()},
          {"kdhost.vgg", {{"depth", 8.0}}, images(2)},
          {"kdhost.vgg", {{"depth", 13.0}}, images(2)},
          {"kdhost.transformer", {{"width", 16.0}, {"inner", 24.0}, {"dropout", 0.0}}, images(4, 1, 8)}};
}

/// Running statistics of a network that has seen something, so that folding has something to fold.
void warm_up(ModelCase& model) {
  const c10::NoGradGuard off;
  for (int i = 0; i < 3; ++i) model.forward(KDH_CALL_TRAINING);
}

}  // namespace

TEST_CASE("parameter counts are the published ones", "[models]") {
  using Widths = std::vector<int64_t>;
  const Settings x4{{"widths", Widths{32, 64, 128, 256}}, {"shortcut", S("B")}};
  const auto with = [](Settings s, const char* name, double value) {
    s.emplace_back(name, value);
    return s;
  };
  // CIFAR-10: zero-padded shortcuts as in the public weights; with convolutions 2,752 more.
  CHECK(parameters("kdhost.cifar_resnet", {{"depth", 20.0}}, 10) == 269722);
  CHECK(parameters("kdhost.cifar_resnet", {{"depth", 20.0}, {"projector", 64.0}}, 10) == 269722 + 13568);
  CHECK(parameters("kdhost.cifar_resnet", {{"depth", 32.0}}, 10) == 464154);
  CHECK(parameters("kdhost.cifar_resnet", {{"depth", 44.0}}, 10) == 658586);
  CHECK(parameters("kdhost.cifar_resnet", {{"depth", 56.0}}, 10) == 853018);
  CHECK(parameters("kdhost.cifar_resnet", {{"depth", 110.0}}, 10) == 1727962);
  CHECK(parameters("kdhost.cifar_resnet", {{"depth", 20.0}, {"shortcut", S("B")}}, 10) == 272474);
  CHECK(parameters("kdhost.cifar_resnet", {{"depth", 56.0}, {"shortcut", S("B")}}, 10) == 855770);
  // CIFAR-100, as counted in RepDistiller.
  CHECK(parameters("kdhost.cifar_resnet", {{"depth", 20.0}, {"shortcut", S("B")}}, 100) == 278324);
  CHECK(parameters("kdhost.cifar_resnet", {{"depth", 56.0}, {"shortcut", S("B")}}, 100) == 861620);
  CHECK(parameters("kdhost.cifar_resnet", with(x4, "depth", 8), 100) == 1233540);
  CHECK(parameters("kdhost.cifar_resnet", with(x4, "depth", 32), 100) == 7433860);
  CHECK(parameters("kdhost.wrn", {{"depth", 16.0}, {"width", 2.0}}, 100) == 703284);
  CHECK(parameters("kdhost.wrn", {{"depth", 40.0}, {"width", 1.0}}, 100) == 569780);
  CHECK(parameters("kdhost.wrn", {{"depth", 40.0}, {"width", 2.0}}, 100) == 2255156);
  CHECK(parameters("kdhost.vgg", {{"depth", 8.0}}, 100) == 3965028);
  CHECK(parameters("kdhost.vgg", {{"depth", 13.0}}, 100) == 9462180);
  // The tutorial prints these; LeNet-5 on 28 x 28; 784-1200-1200-10 and 784-200-200-10.
  CHECK(parameters("kdhost.tutorial_deep", {}, 10) == 1186986);
  CHECK(parameters("kdhost.tutorial_light", {}, 10) == 267738);
  CHECK(parameters("kdhost.lenet5", {}, 10, images(1, 1, 28)) == 61706);
  CHECK(parameters("kdhost.mlp", {{"hidden", Widths{1200, 1200}}}, 10, images(1, 1, 28)) == 2395210);
  CHECK(parameters("kdhost.mlp", {}, 10, images(1, 1, 28)) == 199210);
}

TEST_CASE("the number of classes can be set against the data set's", "[models]") {
  ModelCase model(kLibrary, "kdhost.mlp", {{"classes", 7.0}}, {images(1, 1, 8)}, 10);
  CHECK(model.forward(0)["logits"].size(1) == 7);
}

TEST_CASE("the residual networks' parts carry the names and shapes of the public CIFAR-10 weights", "[models]") {
  for (const int64_t depth : {20, 56}) {
    ModelCase model(kLibrary, "kdhost.cifar_resnet", {{"depth", static_cast<double>(depth)}}, {images(1)});
    std::vector<std::pair<std::string, std::vector<int64_t>>> wanted;
    const auto norm = [&](const std::string& name, int64_t channels) {
      for (const char* part : {"weight", "bias", "running_mean", "running_var"})
        wanted.push_back({name + "." + part, {channels}});
    };
    wanted.push_back({"conv1.weight", {16, 3, 3, 3}});
    norm("bn1", 16);
    int64_t in = 16;
    for (int64_t stage = 1; stage <= 3; ++stage) {
      const int64_t out = int64_t{8} << stage;
      for (int64_t i = 0; i < (depth - 2) / 6; ++i) {
        const std::string block = "layer" + std::to_string(stage) + "." + std::to_string(i);
        wanted.push_back({block + ".conv1.weight", {out, in, 3, 3}});
        norm(block + ".bn1", out);
        wanted.push_back({block + ".conv2.weight", {out, out, 3, 3}});
        norm(block + ".bn2", out);
        in = out;
      }
    }
    wanted.push_back({"linear.weight", {10, 64}});
    wanted.push_back({"linear.bias", {10}});

    std::vector<std::pair<std::string, std::vector<int64_t>>> found;
    for (const auto& part : model.parts().list())
      if (part.name.find("num_batches_tracked") == std::string::npos) found.push_back({part.name, part.sizes});
    CHECK(found == wanted);
  }
}

TEST_CASE("the other networks' parts carry the names of their origin", "[models]") {
  const auto has = [](const std::string& id, const Settings& settings, const std::vector<std::string>& names,
                      const at::Tensor& input = images(1)) {
    ModelCase model(kLibrary, id, settings, {input});
    for (const std::string& name : names) {
      INFO(id << " " << name);
      CHECK(model.parts().find(name).has_value());
    }
  };
  has("kdhost.mlp", {}, {"fc1.weight", "fc1.bias", "fc2.weight", "fc3.weight", "fc3.bias"}, images(1, 1, 28));
  has("kdhost.tutorial_deep", {},
      {"features.0.weight", "features.2.bias", "features.5.weight", "features.7.weight", "classifier.0.weight",
       "classifier.3.bias"});
  has("kdhost.tutorial_light", {},
      {"features.0.weight", "features.3.bias", "classifier.0.weight", "classifier.3.bias"});
  has("kdhost.cifar_resnet", {{"shortcut", S("B")}},
      {"layer2.0.shortcut.0.weight", "layer2.0.shortcut.1.running_mean"});
  has("kdhost.wrn", {},
      {"conv1.weight", "block1.layer.0.bn1.weight", "block2.layer.0.convShortcut.weight", "block3.layer.1.conv2.weight",
       "bn1.running_var", "fc.weight", "fc.bias"});
  has("kdhost.vgg", {{"depth", 13.0}},
      {"block0.0.weight", "block0.0.bias", "block0.1.running_mean", "block4.3.weight", "block4.4.weight",
       "classifier.weight"});
}

TEST_CASE("every parameter of every network gets a gradient", "[models]") {
  for (const Net& net : nets()) {
    for (const bool last : {false, true}) {
      if (last && net.input.size(1) == 1) continue;
      ModelCase model(kLibrary, net.id, net.settings, {last ? channels_last(net.input) : net.input});
      const at::Tensor z = model.forward(KDH_CALL_TRAINING, Wants({"logits"}))["logits"];
      CHECK(z.sizes().vec() == std::vector<int64_t>{net.input.size(0), 10});
      at::cross_entropy_loss(z, at::arange(z.size(0), at::kLong)).backward();
      for (std::size_t i = 0; i < model.parts().size(); ++i) {
        if (model.parts().spec(i).role != PartRole::parameter) continue;
        INFO(net.id << " " << model.parts().spec(i).name);
        REQUIRE(model.parts()[i].grad().defined());
        CHECK(model.parts()[i].grad().isfinite().all().item<bool>());
        // The bias of a convolution in front of a batch norm cancels out, up to rounding.
        CHECK(model.parts()[i].grad().abs().max().item<double>() > 0);
      }
    }
  }
}

TEST_CASE("every declared result exists, and asking for one gives the same as asking for all", "[models]") {
  for (const Net& net : nets()) {
    ModelCase model(kLibrary, net.id, net.settings, {net.input});
    warm_up(model);
    const c10::NoGradGuard off;
    std::map<std::string, at::Tensor> all;
    for (const auto& entry : model.forward(0)) all[entry.name] = entry.value.clone();
    const kdh_component& component = model.instance().description();
    for (uint64_t i = 0; i < component.n_outputs; ++i) {
      const std::string name(view(component.outputs[i].name));
      INFO(net.id << " " << name);
      CHECK(all.count(name) == 1);
    }
    for (const auto& [name, value] : all) {
      INFO(net.id << " " << name);
      const auto& out = model.forward(0, Wants({name}));
      REQUIRE(out.find(name) != nullptr);
      CHECK(out[name].allclose(value, 1e-5, 1e-6));
      for (const auto& entry : out) CHECK((entry.name == name || entry.name == "logits"));
    }
  }
}

TEST_CASE("pre-activation taps are the values before the ReLU of the taps beside them", "[models]") {
  for (const Net& net : nets()) {
    ModelCase model(kLibrary, net.id, net.settings, {net.input});
    const c10::NoGradGuard off;
    const auto& out = model.forward(KDH_CALL_TRAINING);
    for (const auto& entry : out) {
      const auto dot = entry.name.rfind(".pre");
      if (dot == std::string::npos || S(net.id) == "kdhost.wrn") continue;
      INFO(net.id << " " << entry.name);
      CHECK(entry.value.lt(0).any().item<bool>());
      CHECK(entry.value.relu().equal(out[entry.name.substr(0, dot)]));
    }
    if (S(net.id) == "kdhost.wrn") CHECK(out["block3.pre"].relu().equal(out["block3.act"]));
  }
}

TEST_CASE("a frozen network, its batch norms folded in, gives the plain evaluation to 1e-5", "[models]") {
  for (const Net& net : nets()) {
    for (const bool last : {false, true}) {
      if (last && net.input.size(1) == 1) continue;
      ModelCase model(kLibrary, net.id, net.settings, {last ? channels_last(net.input) : net.input});
      warm_up(model);
      const c10::NoGradGuard off;
      std::map<std::string, at::Tensor> plain;
      for (const auto& entry : model.forward(0)) plain[entry.name] = entry.value.clone();
      for (const Wants& wants : {Wants(), Wants({"logits"})}) {
        for (const auto& entry : model.forward(KDH_CALL_FROZEN, wants)) {
          INFO(net.id << " " << entry.name << (last ? " channels_last" : ""));
          const double scale = std::max(1.0, plain[entry.name].abs().max().item<double>());
          CHECK((entry.value - plain[entry.name]).abs().max().item<double>() < 1e-5 * scale);
        }
      }
    }
  }
}

TEST_CASE("training in channels_last, with batch norm in one step, gives the gradients of the plain layout",
          "[models]") {
  for (const Net& net : nets()) {
    if (net.input.size(1) == 1) continue;
    const auto gradients = [&](const at::Tensor& input) {
      ModelCase model(kLibrary, net.id, net.settings, {input});
      const at::Tensor z = model.forward(KDH_CALL_TRAINING, Wants({"logits"}))["logits"];
      at::cross_entropy_loss(z, at::arange(z.size(0), at::kLong)).backward();
      std::vector<std::pair<std::string, at::Tensor>> list{{"logits", z.detach().to(at::kDouble)}};
      for (std::size_t i = 0; i < model.parts().size(); ++i) {
        const std::string& name = model.parts().spec(i).name;
        list.emplace_back(
            name, (model.parts()[i].grad().defined() ? model.parts()[i].grad() : model.parts()[i]).to(at::kDouble));
      }
      return list;
    };
    const bool drops = S(net.id).find("tutorial") != std::string::npos;
    const auto plain = gradients(net.input), fast = gradients(channels_last(net.input));
    for (std::size_t i = 0; i < plain.size(); ++i) {
      if (drops && i == 0) continue;
      INFO(net.id << " " << plain[i].first);
      // A convolution's bias in front of a batch norm has a gradient of rounding errors only.
      const bool cancels = S(net.id) == "kdhost.vgg" && plain[i].first.find(".bias") != S::npos;
      const double scale = std::max(cancels ? 1e-1 : 1e-3, plain[i].second.abs().max().item<double>());
      CHECK((plain[i].second - fast[i].second).abs().max().item<double>() < 2e-4 * scale);
    }
  }
}

TEST_CASE("dropout acts in training only, and its share comes from the call", "[models]") {
  ModelCase model(kLibrary, "kdhost.mlp", {{"hidden", std::vector<int64_t>{256}}, {"dropout", 0.5}}, {images(2, 1, 8)});
  const c10::NoGradGuard off;
  const at::Tensor sober = model.forward(0)["logits"].clone();
  CHECK(model.forward(0)["logits"].equal(sober));
  CHECK_FALSE(model.forward(KDH_CALL_TRAINING)["logits"].equal(sober));
  Arguments& params = model.instance().params();
  params.set_number(params.find("dropout").value(), 0.0);
  CHECK(model.forward(KDH_CALL_TRAINING)["logits"].equal(sober));
}

TEST_CASE("a perceptron whose taps nobody wants has the gradients of its layers one by one", "[models]") {
  const at::Tensor x = generated({5, 1, 4, 4}, 3).requires_grad_();
  ModelCase model(kLibrary, "kdhost.mlp", {{"hidden", std::vector<int64_t>{12, 8}}}, {x});
  const auto gradients = [&](const Wants& wants) {
    const at::Tensor logits = model.forward(KDH_CALL_TRAINING, wants)["logits"];
    (logits * generated({5, 10}, 4)).sum().backward();
    std::vector<at::Tensor> found{logits.detach().clone(), x.grad().clone()};
    x.mutable_grad().reset();
    for (std::size_t i = 0; i < model.parts().size(); ++i) {
      found.push_back(model.parts()[i].grad().clone());
      model.parts()[i].mutable_grad().reset();
    }
    return found;
  };
  const std::vector<at::Tensor> one_step = gradients(Wants({"logits"})), by_layers = gradients(Wants());
  REQUIRE(one_step.size() == by_layers.size());
  for (std::size_t i = 0; i < by_layers.size(); ++i) {
    INFO(i);
    CHECK((one_step[i] - by_layers[i]).abs().max().item<double>() < 1e-14);
  }
}

TEST_CASE("initial weights follow the stated distributions", "[models]") {
  ModelCase model(kLibrary, "kdhost.cifar_resnet", {}, {images(1)});
  const auto spread = [](const at::Tensor& x) { return x.std().item<double>(); };
  CHECK(spread(model.part("layer3.1.conv2.weight")) == Approx(std::sqrt(2.0 / (64 * 9))).epsilon(0.03));
  CHECK(spread(model.part("linear.weight")) == Approx(std::sqrt(2.0 / 64)).epsilon(0.1));
  CHECK(model.part("linear.bias").abs().max().item<double>() <= 1.0 / 8);
  CHECK(model.part("bn1.weight").eq(1).all().item<bool>());
  ModelCase wide(kLibrary, "kdhost.wrn", {}, {images(1)});
  CHECK(spread(wide.part("block3.layer.1.conv2.weight")) == Approx(std::sqrt(2.0 / (128 * 9))).epsilon(0.03));
  CHECK(wide.part("fc.bias").eq(0).all().item<bool>());
}

TEST_CASE("impossible networks are refused with what was found and expected", "[models]") {
  const auto text = [](const std::string& id, const Settings& settings, const at::Tensor& input) {
    try {
      ModelCase(kLibrary, id, settings, {input});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK_THAT(text("kdhost.cifar_resnet", {{"depth", 21.0}}, images(1)),
             Contains("depth is 21, expected 6n + 2: 8, 14, 20, 32, 44, 56, 110"));
  CHECK_THAT(text("kdhost.cifar_resnet", {{"widths", std::vector<int64_t>{16, 32}}}, images(1)),
             Contains("widths is [16, 32], expected four numbers: stem and three stages"));
  CHECK_THAT(text("kdhost.cifar_resnet", {{"widths", std::vector<int64_t>{16, 16, 8, 64}}}, images(1)),
             Contains("widths shrink from 16 to 8: shortcut \"A\" can only add channels; set shortcut = \"B\""));
  CHECK_THAT(text("kdhost.wrn", {{"depth", 20.0}}, images(1)),
             Contains("depth is 20, expected 6n + 4: 10, 16, 22, 28, 40"));
  CHECK_THAT(text("kdhost.vgg", {{"depth", 16.0}}, images(1)), Contains("depth is 16, expected 8 or 13"));
  CHECK_THAT(text("kdhost.lenet5", {}, generated({2, 784}, 1).to(at::kFloat)),
             Contains("'batch.input' is [2, 784], expected images [N, channels, height, width]"));
  CHECK_THAT(text("kdhost.vgg", {}, images(1, 3, 4)),
             Contains("'batch.input' is [1, 3, 4, 4], expected images of at least 8 x 8 pixels"));
}
