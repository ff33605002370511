// SPDX-License-Identifier: MIT
// Task terms beside the cross-entropy: values equal to PyTorch's, labels in every form, refusals word for word.
#include "golden_case.hpp"

using namespace kdhost::test;
using Catch::Matchers::Contains;

namespace {

Bound task(const at::Tensor& predicted, const at::Tensor& wanted) {
  return {{"student.logits", predicted}, {"batch.label", wanted}};
}
at::Tensor questions() { return generated({4, 3}, 87) * 3; }
at::Tensor answers() {
  return at::tensor({0., 1., 1., 1., 0., 0., 0., 0., 1., 1., 1., 1.}, at::kDouble).reshape({4, 3});
}
at::Tensor numbers() { return generated({4, 3}, 88) * 2; }

std::vector<Golden> task_golden() {
  const char* own = "PyTorch";
  return {
      {"kdhost.bce", {}, task(questions(), answers()), 0.542564905244, 0.1240441865, own},
      {"kdhost.bce", {{"positive_weight", 2.5}}, task(questions(), answers()), 1.22941253306, 0.2975906578, own},
      {"kdhost.bce", {}, task(z_s(), y()), 1.13072688177, 0.100760066, own},
      {"kdhost.mse", {}, task(questions(), numbers()), 3.12494993127, 1.02061255, own},
      {"kdhost.smooth_l1", {}, task(questions(), numbers()), 1.0491612462, 0.2511972575, own},
      {"kdhost.smooth_l1", {{"beta", 2.0}}, task(questions(), numbers()), 0.720085274611, 0.211143144, own},
      {"kdhost.focal", {}, task(z_s(), y()), 4.39836227402, 0.6002479947, "the formula, own computation in PyTorch"},
      {"kdhost.focal", {{"gamma", 0.5}}, task(z_s(), y()), 4.49893687043, 0.560251727, "the same"},
      {"kdhost.focal",
       {{"form", S("sigmoid")}},
       task(questions(), answers()),
       0.0587710562254,
       0.02981331021,
       "torchvision's formula"},
  };
}

}  // namespace

TEST_CASE("task terms give value and gradient of PyTorch's functions", "[golden]") {
  CHECK(wrong_values(task_golden()) == kNoDifferences);
  CHECK(wrong_gradient_norms(task_golden()) == kNoDifferences);
}

TEST_CASE("task terms in float32 agree with float64, and half precision is computed in float32", "[golden]") {
  CHECK(wrong_in_float32(task_golden()) == kNoDifferences);
  std::vector<Golden> exact_labels;  // rounded targets are other targets
  for (const Golden& g : task_golden())
    if (std::string(g.id) != "kdhost.mse" && std::string(g.id) != "kdhost.smooth_l1") exact_labels.push_back(g);
  CHECK(wrong_in_half_precision(exact_labels) == kNoDifferences);
}

TEST_CASE("gradients of task terms agree with central differences", "[golden]") {
  std::vector<std::tuple<const char*, Settings, Bound>> cases;
  for (const Golden& g : task_golden()) cases.emplace_back(g.id, g.settings, g.bound);
  cases.emplace_back("kdhost.focal", Settings{}, task(z_s(), z_t().softmax(1)));
  CHECK(wrong_gradients(cases) == kNoDifferences);
}

TEST_CASE("focal with gamma 0 is the cross-entropy, with hard and with soft labels", "[losses]") {
  for (const at::Tensor& label : {y(), z_t().softmax(1)})
    CHECK(evaluate("kdhost.focal", {{"gamma", 0.0}}, task(z_s(), label)).number() ==
          Approx(evaluate("kdhost.cross_entropy", {}, task(z_s(), label)).number()).epsilon(1e-12));
}

TEST_CASE("targets [N] and [N, 1] stand for each other, and integers are numbers", "[losses]") {
  const at::Tensor column = generated({5, 1}, 3), target = generated({5}, 4),
                   flags = at::tensor({0, 1, 1, 0, 1}, at::kLong);
  const auto value = [](const char* id, const at::Tensor& p, const at::Tensor& t) {
    return evaluate(id, {}, task(p, t)).number();
  };
  for (const char* id : {"kdhost.mse", "kdhost.smooth_l1"}) {
    CHECK(value(id, column, target) == value(id, column, target.unsqueeze(1)));
    CHECK(value(id, column.squeeze(1), target.unsqueeze(1)) == value(id, column, target));
    CHECK(value(id, column, flags) == value(id, column, flags.to(at::kDouble)));
  }
  for (const at::ScalarType type : {at::kBool, at::kInt, at::kDouble})
    CHECK(value("kdhost.bce", column, flags.to(type)) == value("kdhost.bce", column, flags.unsqueeze(1)));
  CHECK(value("kdhost.bce", z_s(), y()) == value("kdhost.bce", z_s(), at::one_hot(y(), 10)));
}

TEST_CASE("logits of +-10000 give task terms finite values and gradients", "[losses]") {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    at::Tensor z = at::zeros({2, 3}, type);
    z[0][0] = 1e4, z[0][1] = -1e4, z[1][2] = -1e4;
    const at::Tensor one = at::tensor({1, 2}, at::kLong), yes = at::one_hot(one, 3).to(type);
    CHECK(finite(evaluate("kdhost.bce", {}, task(z, one))));
    CHECK(finite(evaluate("kdhost.focal", {}, task(z, one))));
    CHECK(finite(evaluate("kdhost.focal", {{"gamma", 0.5}}, task(z, one))));
    CHECK(finite(evaluate("kdhost.focal", {{"form", S("sigmoid")}, {"gamma", 0.5}}, task(z, yes))));
  }
}

TEST_CASE("task terms refuse wrong targets, word for word", "[losses]") {
  const at::Tensor z = questions();
  for (const char* id : {"kdhost.mse", "kdhost.smooth_l1"})
    CHECK_THAT(refusal(id, {}, task(z, at::zeros({4, 2}))),
               Contains("'batch.label' is [4, 2], expected [4, 3] like 'student.logits'"));
  CHECK_THAT(refusal("kdhost.bce", {}, task(z, at::zeros({4, 2}))),
             Contains("'batch.label' is [4, 2], expected [4, 3] like 'student.logits', or class numbers, int64 [4]"));
  CHECK_THAT(refusal("kdhost.bce", {}, task(z, answers() * 1.5)),
             Contains("'batch.label' has values from 0.000000 to 1.500000, expected probabilities, 0 to 1"));
  CHECK_THAT(refusal("kdhost.bce", {}, task(z, at::tensor({0, 1, 3, 0}, at::kLong))),
             Contains("'batch.label' has the label 3 at position 2, expected 0 to 2 (classes of 'student.logits': 3)"));
  CHECK_THAT(refusal("kdhost.focal", {}, task(z, at::zeros({4, 2}))),
             Contains("'batch.label' is [4, 2], expected [4, 3] like 'student.logits', or class numbers, int64 [4]"));
  CHECK_THAT(refusal("kdhost.mse", {}, task(at::zeros({4, 3}, at::kLong), z)),
             Contains("'student.logits' holds int64, expected floating-point numbers"));
  CHECK_THAT(refusal("kdhost.mse", {}, task(at::zeros({0, 3}), at::zeros({0, 3}))),
             Contains("'student.logits' is [0, 3], expected at least one sample"));
}
