// SPDX-License-Identifier: MIT
// kdhost inspect: names and shapes of taps, parameters, multiply-accumulates against numbers counted by hand.
#include "cli/program.hpp"

using namespace kdhost::test;

TEST_CASE("inspect shows the taps of student and teacher side by side, with parameters and operations") {
  const Program p;
  p.write_experiment();
  const Answer answer = p.kdhost("inspect tiny.toml");
  CHECK(answer.exit == 0);
  // Student 16-4-4: 16*4 + 4*4 products, 4 + 4 biases more parameters; teacher 16-16-4.
  CHECK(answer.out ==
        "tap                             student kdhost.mlp   teacher kdhost.mlp\n"
        "hidden1                         [N, 4]               [N, 16]\n"
        "logits                          [N, 4]               [N, 4]\n"
        "\n"
        "parameters                      88                   340\n"
        "multiply-accumulates a sample   80                   320\n"
        "\n"
        "N is the batch; --json also lists every parameter and buffer.\n");
}

TEST_CASE("inspect answers though a loss binds a tap that there is not") {
  const Program p;
  p.write_experiment();
  p.write("hint.toml",
          p.read("tiny.toml") +
              "[[loss]]\nuse = \"kdhost.hint\"\ninputs = { student = [\"hiden1\"], teacher = [\"hidden1\"] }\n");
  CHECK(p.kdhost("check hint.toml").exit == 3);
  const Answer answer = p.kdhost("inspect hint.toml");
  CHECK(answer.exit == 0);
  CHECK(contains(answer.out, "hidden1 "));
}

TEST_CASE("the operations of ResNet-20 on CIFAR images are the published 40.55 million") {
  const Program p;
  p.write("resnet.toml",
          "[data]\nuse = \"kdhost.synthetic\"\nbatch = 2\nparams = { samples = 4, test_samples = 2, classes = 10, "
          "shape = [3, "
          "32, 32] }\n[student]\nuse = \"kdhost.cifar_resnet\"\nparams = { depth = 20 }\n[[loss]]\nuse = "
          "\"kdhost.cross_entropy\"\n");
  const auto answer = p.kdhost("inspect resnet.toml --json").json();
  const auto& model = answer["models"][0];
  // Stem 3*16*9*32^2; stages of 6 convolutions on 32^2, 16^2 and 8^2 (the first of a stage from half the channels);
  // 64*10.
  CHECK(model["multiply_accumulates"] == 442368 + 6 * 2359296 + 2 * (1179648 + 5 * 2359296) + 640);
  CHECK(model["parameters"] == 269722);
  CHECK(model["taps"][0]["name"] == "stem");
  CHECK(model["taps"][0]["shape"] == nlohmann::json({-1, 16, 32, 32}));
  CHECK(model["parts"][0] ==
        nlohmann::ordered_json({{"name", "conv1.weight"}, {"role", "parameter"}, {"shape", {16, 3, 3, 3}}}));
}
