// SPDX-License-Identifier: MIT
// kdhost loss --state: where the parts of a loss come from, their gradients, and what it says to files that do not fit.
#include "base/text.hpp"
#include "cli/loss_files.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

/// A student of width 3 and a teacher of width 2, between which kdhost.hint trains a linear layer.
struct Hint {
  Program p;
  at::Tensor student = pattern({4, 3}, 0.2), teacher = pattern({4, 2}, 0.9), weight = pattern({2, 3}, 2.0),
             bias = pattern({2}, 0.4);

  Hint() { save(p, "in.safetensors", {{"student.features.0", student}, {"teacher.features.0", teacher}}); }
  Answer with(const std::string& options) const {
    return p.kdhost("loss kdhost.hint --inputs in.safetensors " + options);
  }
  double wanted() const { return at::mse_loss(at::linear(student, weight, bias), teacher).item<double>(); }
};

}  // namespace

TEST_CASE("the option --state gives the parts by their names, and --grads has their gradients as param/NAME") {
  const Hint hint;
  save(hint.p, "state.safetensors", {{"regressor0.linear.weight", hint.weight}, {"regressor0.linear.bias", hint.bias}});
  const Answer answer = hint.with("--state state.safetensors --grads out.safetensors");
  REQUIRE(answer.exit == 0);
  CHECK(std::stod(answer.out) == Approx(hint.wanted()).epsilon(1e-13));
  CHECK(answer.out == digits17(std::stod(answer.out)) + "\n");

  const at::Tensor weight = hint.weight.clone().requires_grad_(true), bias = hint.bias.clone().requires_grad_(true);
  at::mse_loss(at::linear(hint.student, weight, bias), hint.teacher).backward();
  const SafetensorsFile out(hint.p / "out.safetensors");
  CHECK(out.tensors().size() == 3);
  CHECK(at::allclose(out.tensor("param/regressor0.linear.weight"), weight.grad(), 1e-12, 1e-14));
  CHECK(at::allclose(out.tensor("param/regressor0.linear.bias"), bias.grad(), 1e-12, 1e-14));
  const auto json = hint.with("--state state.safetensors --json").json();
  CHECK(json["gradients"]["param/regressor0.linear.bias"]["norm"].get<double>() ==
        Approx(bias.grad().norm().item<double>()));
  CHECK(json["parts"]["not_given"].empty());
}

TEST_CASE("the option --state takes the parts of the term out of a checkpoint") {
  const Hint hint;
  const std::string weight = "regressor0.linear.weight", bias = "regressor0.linear.bias";
  save(hint.p, "last.ckpt",
       {{"student/fc.weight", at::ones({2})},
        {"loss.cc/embed.weight", at::ones({2})},
        {"loss.middle/" + weight, hint.weight},
        {"loss.middle/" + bias, hint.bias}});
  CHECK(std::stod(hint.with("--state last.ckpt").out) == Approx(hint.wanted()).epsilon(1e-13));

  // Of two that fit the one that bears the name of the loss is meant.
  save(hint.p, "two.ckpt",
       {{"loss.early/" + weight, hint.weight * 2},
        {"loss.early/" + bias, hint.bias},
        {"loss.hint/" + weight, hint.weight},
        {"loss.hint/" + bias, hint.bias}});
  CHECK(std::stod(hint.with("--state two.ckpt").out) == Approx(hint.wanted()).epsilon(1e-13));
  save(hint.p, "which.ckpt",
       {{"loss.early/" + weight, hint.weight * 2},
        {"loss.early/" + bias, hint.bias},
        {"loss.late/" + weight, hint.weight},
        {"loss.late/" + bias, hint.bias}});
  const Answer which = hint.with("--state which.ckpt");
  CHECK(which.exit == 4);
  CHECK(which.err ==
        "error: which.ckpt: holds the parts of several terms that may be kdhost.hint: 'loss.early', 'loss.late'.\n"
        "  Expected one, or one named 'loss.hint'. Write the tensors of one of them into a file of their own, by the "
        "names behind the slash.\n");
  save(hint.p, "other.ckpt", {{"loss.cc/embed.weight", at::ones({2})}});
  CHECK(hint.with("--state other.ckpt").err ==
        "error: other.ckpt: holds no parts of kdhost.hint, but of 'loss.cc'.\n"
        "  Expected regressor0.linear.weight [2, 3], regressor0.linear.bias [2]. Give the parameters with which that "
        "run was made, or the file of another run.\n");
}

TEST_CASE("parts that are missing or unknown in the file of --state are named") {
  const Hint hint;
  save(hint.p, "misspelled.safetensors",
       {{"regressor0.linear.wieght", hint.weight}, {"regressor0.linear.bias", hint.bias}});
  const Answer misspelled = hint.with("--state misspelled.safetensors");
  CHECK(misspelled.exit == 4);
  CHECK(misspelled.err ==
        "error: misspelled.safetensors: lacks 'regressor0.linear.weight', a part of kdhost.hint, and holds "
        "'regressor0.linear.wieght', which is no part of it.\n"
        "  Expected regressor0.linear.weight [2, 3], regressor0.linear.bias [2]. Did you mean "
        "'regressor0.linear.weight'?\n");
  save(hint.p, "empty.safetensors", {});
  CHECK(hint.with("--state empty.safetensors").err ==
        "error: empty.safetensors: lacks 'regressor0.linear.weight', 'regressor0.linear.bias', parts of kdhost.hint.\n"
        "  Expected regressor0.linear.weight [2, 3], regressor0.linear.bias [2].\n");
  save(hint.p, "shape.safetensors",
       {{"regressor0.linear.weight", pattern({3, 3}, 0)}, {"regressor0.linear.bias", hint.bias}});
  const Answer shape = hint.with("--state shape.safetensors");
  CHECK(shape.exit == 4);
  CHECK(shape.err ==
        "error: shape.safetensors: tensor 'regressor0.linear.weight' has shape [3, 3].\n"
        "  Expected [2, 3] as in 'loss.hint'. Give weights of the same architecture and number of classes.\n");
  save(hint.p, "logits.safetensors", {{"student.logits", pattern({4, 3}, 0)}, {"teacher.logits", pattern({4, 3}, 1)}});
  CHECK(hint.p.kdhost("loss kdhost.kd --inputs logits.safetensors --state empty.safetensors").err ==
        "error: empty.safetensors: kdhost.kd has no parts to be set: it trains nothing and remembers nothing.\n"
        "  Expected no --state. Leave --state out, or give the parameters with which the loss has parts.\n");
}

TEST_CASE("a bank comes from the file of --state, and what every training starts with alike may be absent") {
  const Program p;
  const at::Tensor banks[2] = {pattern({5, 3}, 1.0), pattern({5, 3}, 2.0)};
  const std::vector<NamedTensor> inputs{
      {"student.features.0", pattern({2, 3}, 0.2)},
      {"teacher.features.0", pattern({2, 3}, 0.9)},
      {"batch.index", at::arange(2)},
      {"batch.contrast_index", at::tensor({0, 3, 4, 1, 2, 4}, at::kLong).reshape({2, 3})}};
  std::vector<NamedTensor> both = inputs;
  both.push_back({"state.bank_student", banks[0]});
  both.push_back({"state.bank_teacher", banks[1]});
  save(p, "in.safetensors", inputs);
  save(p, "both.safetensors", both);
  save(p, "banks.safetensors", {{"bank_student", banks[0]}, {"bank_teacher", banks[1]}});
  const std::string crd = "loss kdhost.crd --set 'adaptor=\"none\"' --inputs ";
  const Answer apart = p.kdhost(crd + "in.safetensors --state banks.safetensors");
  REQUIRE(apart.exit == 0);
  CHECK(apart.out == p.kdhost(crd + "both.safetensors").out);
}

TEST_CASE("parts that no file gives start from --seed, and the answer says so") {
  const Hint hint;
  const Answer first = hint.with("");
  CHECK(contains(first.out,
                 "\n# kdhost.hint: 2 parts as at the start of a training, seed 0 (--state FILE sets them): "
                 "regressor0.linear.weight, regressor0.linear.bias\n"));
  CHECK(first.out == hint.with("--seed 0").out);
  CHECK(std::stod(first.out) != std::stod(hint.with("--seed 1").out));
  const auto json = hint.with("--seed 1 --json").json();
  CHECK(json["parts"]["seed"] == 1);
  CHECK(json["parts"]["not_given"] == nlohmann::json({"regressor0.linear.weight", "regressor0.linear.bias"}));
}
