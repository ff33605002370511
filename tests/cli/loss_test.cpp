// SPDX-License-Identifier: MIT
// kdhost loss: values and gradients against LibTorch's own operators, and what it says to files that do not fit.

#include "base/text.hpp"
#include "cli/loss_files.hpp"
#include "tensor/aten.hpp"

using namespace kdhost;
using namespace kdhost::test;

TEST_CASE("loss prints the value in 17 digits and writes the student's gradient under the port's name") {
  const Program p;
  const at::Tensor student = pattern({6, 5}, 0.1);
  const at::Tensor teacher = pattern({6, 5}, 1.3);
  save(p, "in.safetensors", {{"student.logits", student}, {"teacher.logits", teacher}, {"unrelated", at::ones({2})}});
  const Answer answer = p.kdhost("loss kdhost.kd --inputs in.safetensors --set temperature=3 --grads out.safetensors");
  REQUIRE(answer.exit == 0);

  const at::Tensor leaf = student.clone().requires_grad_(true);
  const at::Tensor expected =
      at::kl_div(at::log_softmax(leaf / 3.0, 1), at::softmax(teacher / 3.0, 1), at::Reduction::Sum) * 9.0 / 6.0;
  expected.backward();
  CHECK(std::stod(answer.out) == Approx(expected.item<double>()).epsilon(1e-13));
  CHECK(answer.out == digits17(std::stod(answer.out)) + "\n");
  const SafetensorsFile out(p / "out.safetensors");
  REQUIRE(out.tensors().size() == 1);
  const at::Tensor gradient = out.tensor("student.logits");
  CHECK(gradient.scalar_type() == at::kDouble);
  CHECK(at::allclose(gradient, leaf.grad(), 1e-12, 1e-14));
}

TEST_CASE("loss computes in the dtype of the file") {
  const Program p;
  save(p, "in.safetensors",
       {{"student.logits", pattern({4, 3}, 0.0, at::kFloat)}, {"teacher.logits", pattern({4, 3}, 1.0, at::kFloat)}});
  const auto answer = p.kdhost("loss kdhost.logit_mse --inputs in.safetensors --json").json();
  CHECK(answer["dtype"] == "float32");
  CHECK(answer["value"].get<double>() ==
        Approx(at::mse_loss(pattern({4, 3}, 0.0), pattern({4, 3}, 1.0)).item<double>()).epsilon(1e-6));
  CHECK(answer["gradients"]["student.logits"]["shape"] == nlohmann::json({4, 3}));
}

TEST_CASE("list ports take tensors by number, and state.NAME fills a part of the loss") {
  const Program p;
  const at::Tensor student = pattern({4, 3}, 0.2), teacher = pattern({4, 2}, 0.9), weight = pattern({2, 3}, 2.0),
                   bias = pattern({2}, 0.4);
  save(p, "in.safetensors",
       {{"student.features.0", student},
        {"teacher.features.0", teacher},
        {"state.regressor0.linear.weight", weight},
        {"state.regressor0.linear.bias", bias}});
  const Answer answer = p.kdhost("loss kdhost.hint --inputs in.safetensors");
  REQUIRE(answer.exit == 0);
  CHECK(std::stod(answer.out) ==
        Approx(at::mse_loss(at::linear(student, weight, bias), teacher).item<double>()).epsilon(1e-13));
}

TEST_CASE("a part of the wrong shape is named") {
  const Program p;
  save(p, "in.safetensors",
       {{"student.features.0", pattern({4, 3}, 0.2)},
        {"teacher.features.0", pattern({4, 2}, 0.9)},
        {"state.regressor0.linear.weight", pattern({3, 3}, 0.0)}});
  const Answer answer = p.kdhost("loss kdhost.hint --inputs in.safetensors");
  CHECK(answer.exit == 4);
  CHECK(contains(answer.err, "regressor0.linear.weight"));
  CHECK(contains(answer.err, "[2, 3]"));
}

TEST_CASE("logits of several teachers are numbered, and one that is numbered is one teacher") {
  const Program p;
  const at::Tensor student = pattern({4, 3}, 0.2), first = pattern({4, 3}, 0.9), second = pattern({4, 3}, 2.3);
  save(p, "two.safetensors", {{"student.logits", student}, {"teacher.logits.0", first}, {"teacher.logits.1", second}});
  save(p, "one.safetensors", {{"student.logits", student}, {"teacher.logits.0", first}});
  const auto kl = [&](const at::Tensor& teacher) {
    return at::kl_div(at::log_softmax(student / 4.0, 1), teacher, at::Reduction::Sum).item<double>() * 16.0 / 4.0;
  };
  const at::Tensor mixed = (at::softmax(first / 4.0, 1) + at::softmax(second / 4.0, 1)) / 2;
  CHECK(std::stod(p.kdhost("loss kdhost.kd --inputs two.safetensors --set 'combine=\"mean_probabilities\"'").out) ==
        Approx(kl(mixed)).epsilon(1e-12));
  CHECK(std::stod(p.kdhost("loss kdhost.kd --inputs one.safetensors").out) ==
        Approx(kl(at::softmax(first / 4.0, 1))).epsilon(1e-12));
}

TEST_CASE("loss prints what a loss names of its value, and so does its JSON") {
  const Program p;
  save(p, "in.safetensors",
       {{"student.logits", pattern({3, 4}, 0.0)},
        {"teacher.logits", pattern({3, 4}, 1.0)},
        {"batch.label", at::tensor({0, 3, 1}, at::kLong)}});
  const auto json = p.kdhost("loss kdhost.dkd --inputs in.safetensors --set beta=3 --json").json();
  const double tckd = json["terms"]["tckd"], nckd = json["terms"]["nckd"];
  CHECK(json["value"].get<double>() == Approx(tckd + 3 * nckd).epsilon(1e-13));
  CHECK(tckd > 0);
  CHECK(p.kdhost("loss kdhost.dkd --inputs in.safetensors --set beta=3").out ==
        digits17(json["value"]) + "\ntckd " + digits17(tckd) + "\nnckd " + digits17(nckd) + "\n");
}

TEST_CASE("a tensor that the loss needs and the file has not is named, with what the file holds") {
  const Program p;
  save(p, "in.safetensors", {{"student.logits", pattern({4, 3}, 0.0)}, {"teacher.logit", pattern({4, 3}, 1.0)}});
  const Answer answer = p.kdhost("loss kdhost.kd --inputs in.safetensors");
  CHECK(answer.exit == 4);
  CHECK(answer.err ==
        "error: in.safetensors: has no tensor 'teacher.logits', which kdhost.kd needs.\n"
        "  The file holds: student.logits, teacher.logit. Did you mean 'teacher.logit'?\n");
}

TEST_CASE("a gap in the numbers of a list port is an error, not a shorter list") {
  const Program p;
  save(p, "in.safetensors",
       {{"student.features.0", pattern({4, 3}, 0.0)},
        {"student.features.2", pattern({4, 3}, 0.0)},
        {"teacher.features.0", pattern({4, 3}, 0.0)}});
  const Answer answer = p.kdhost("loss kdhost.hint --inputs in.safetensors");
  CHECK(answer.exit == 4);
  CHECK(contains(answer.err, "error: in.safetensors: has no tensor 'student.features.1', which kdhost.hint needs.\n"));
}

TEST_CASE("a memory bank in the file tells how many samples there are, and its rows are the loss's state") {
  const Program p;
  const auto unit = [](const at::Tensor& x) { return x / x.norm(2, 1, true); };
  const at::Tensor student = pattern({2, 3}, 0.2), teacher = pattern({2, 3}, 0.9);
  const at::Tensor banks[2] = {unit(pattern({5, 3}, 1.0)), unit(pattern({5, 3}, 2.0))};
  const at::Tensor index = at::tensor({0, 3, 4, 1, 2, 4}, at::kLong).reshape({2, 3});
  const std::vector<NamedTensor> tensors{{"student.features.0", student},  {"teacher.features.0", teacher},
                                         {"batch.index", at::arange(2)},   {"batch.contrast_index", index},
                                         {"state.bank_student", banks[0]}, {"state.bank_teacher", banks[1]}};
  save(p, "in.safetensors", tensors);
  const Answer answer = p.kdhost("loss kdhost.crd --inputs in.safetensors --set 'adaptor=\"none\"'");
  REQUIRE(answer.exit == 0);
  double wanted = 0;
  for (const auto& [anchor, bank] : {std::pair<at::Tensor, at::Tensor>{student, banks[1]}, {teacher, banks[0]}}) {
    const at::Tensor raised = (unit(anchor).matmul(bank.t()).gather(1, index) / 0.07).exp();
    const at::Tensor o = raised / (raised.mean() * 5);
    const double c = 2.0 / 5.0;
    const at::Tensor positive = o.select(1, 0), negative = o.slice(1, 1);
    wanted -=
        ((positive / (positive + c + 1e-7)).log().sum() + (c / (negative + c + 1e-7)).log().sum()).item<double>() / 2;
  }
  CHECK(std::stod(answer.out) == Approx(wanted).epsilon(1e-10));

  save(p, "without.safetensors", {tensors.begin(), tensors.begin() + 4});
  const Answer without = p.kdhost("loss kdhost.crd --inputs without.safetensors --set 'adaptor=\"none\"'");
  CHECK(without.exit != 0);
  CHECK(contains(without.err, "(kdhost loss: give state.bank_student and state.bank_teacher)"));
}

TEST_CASE("mistakes in the loss's id and parameters are exit 3 with the nearest name") {
  const Program p;
  save(p, "in.safetensors", {{"student.logits", pattern({4, 3}, 0.0)}, {"teacher.logits", pattern({4, 3}, 1.0)}});
  const Answer parameter = p.kdhost("loss kdhost.kd --inputs in.safetensors --set temprature=4");
  CHECK(parameter.exit == 3);
  CHECK(contains(parameter.err, "Did you mean 'temperature'?"));
  const Answer id = p.kdhost("loss kdhost.logit_mze --inputs in.safetensors");
  CHECK(id.exit == 3);
  CHECK(contains(id.err, "Did you mean 'kdhost.logit_mse'?"));
  const Answer range = p.kdhost("loss kdhost.kd --inputs in.safetensors --set temperature=0");
  CHECK(range.exit == 3);
  CHECK(contains(range.err, "--set temperature=0"));
}

TEST_CASE("an input file that is none is exit 4") {
  const Program p;
  p.write("in.safetensors", "not tensors");
  CHECK(p.kdhost("loss kdhost.kd --inputs in.safetensors").exit == 4);
  CHECK(p.kdhost("loss kdhost.kd --inputs absent.safetensors").exit == 4);
}
