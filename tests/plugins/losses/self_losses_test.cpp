// SPDX-License-Identifier: MIT
// kdhost.byot: the formula from LibTorch's operators, its exits, refusals word for word.
#include "loss_case.hpp"

using namespace kdhost::test;
using Catch::Matchers::Contains;

namespace {

Bound bound() {
  return {{"student.features.0", generated({4, 3, 6, 6}, 1)},
          {"student.features.1", generated({4, 5}, 2)},
          {"teacher.features.0", generated({4, 8, 3, 3}, 3).relu()},
          {"teacher.logits", z_t()},
          {"batch.label", y()}};
}

at::Tensor part(LossCase& loss, const std::string& name) { return loss.parts()[loss.parts().find(name).value()]; }

}  // namespace

TEST_CASE("byot is the weighted sum of label, divergence and feature parts of its exits", "[losses]") {
  LossCase loss("kdhost.byot", {{"label_weight", 0.6}, {"kd_weight", 0.4}, {"feature_weight", 0.05}}, bound());
  const Evaluated e = loss.evaluate();
  const Bound b = bound();
  const at::Tensor last = b[2].second.mean({2, 3});
  const at::Tensor map = at::conv2d(b[0].second, part(loss, "exit0.conv.weight"));
  const at::Tensor centred = map - map.mean({0, 2, 3}, true);
  const at::Tensor a0 = (centred / (centred.square().mean({0, 2, 3}, true) + 1e-5).sqrt()).relu().mean({2, 3});
  const at::Tensor a1 =
      at::linear(b[1].second, part(loss, "exit1.linear.weight"), part(loss, "exit1.linear.bias")).relu();
  double wanted = 0;
  for (const auto& [a, head] : {std::pair<at::Tensor, std::string>{a0, "exit0.head"}, {a1, "exit1.head"}}) {
    const at::Tensor z = at::linear(a, part(loss, head + ".weight"), part(loss, head + ".bias"));
    const at::Tensor t = (z_t() / 3).log_softmax(1);
    wanted += 0.6 * at::cross_entropy_loss(z, y()).item<double>();
    wanted += 0.4 * 9 * (t.exp() * (t - (z / 3).log_softmax(1))).sum().item<double>() / 4;
    wanted += 0.05 * (a - last).square().sum().item<double>() / 4;
  }
  CHECK(e.number() == Approx(wanted).epsilon(1e-10));
  CHECK(finite(e));
  for (const char* port : {"student.features.0", "student.features.1"})
    CHECK(e.gradient.at(port).norm().item<double>() > 0);
  for (const char* name : {"exit0.conv.weight", "exit0.head.weight", "exit1.linear.weight", "exit1.head.bias"})
    CHECK(part(loss, name).grad().abs().max().item<double>() > 0);
}

TEST_CASE("gradients of byot agree with central differences", "[golden]") {
  Bound vectors = bound();
  vectors[0].second = generated({4, 3}, 1);
  CHECK(gradient_error("kdhost.byot", {}, vectors) < 1e-5);
}

TEST_CASE("no gradient of byot reaches the last layer through its own term", "[losses]") {
  Bound b = bound();
  b[2].second.requires_grad_();
  b[3].second = b[3].second.clone().requires_grad_();
  evaluate("kdhost.byot", {}, b);
  CHECK_FALSE(b[2].second.grad().defined());
  CHECK_FALSE(b[3].second.grad().defined());
}

TEST_CASE("byot refuses soft labels and two last taps, word for word", "[losses]") {
  Bound soft = bound();
  soft[4].second = z_s().softmax(1);
  CHECK_THAT(refusal("kdhost.byot", {}, soft),
             Contains("'batch.label' holds float64 [4, 10] (class probabilities, as mixed samples have them), expected "
                      "hard labels, int64 [N]; leave out the transform that mixes samples"));
  Bound two = bound();
  two.insert(two.begin() + 3, {"teacher.features.1", generated({4, 8, 3, 3}, 4)});
  CHECK_THAT(refusal("kdhost.byot", {}, two),
             Contains("'teacher.features' has 2 taps, expected one: the student's last map or vector"));
}
