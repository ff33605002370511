// SPDX-License-Identifier: MIT
// What is looked at after each call of a component, fault by fault. The sentences of a whole run are in
// tests/end_to_end/faults_in_training_test.py.
#include "tensor/output_checks.hpp"
#include "tensor/aten.hpp"

#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "base/in_charge.hpp"
#include "boundary_values.hpp"
#include "tensor/loss.hpp"

namespace kdhost {
namespace {

using namespace testing;

TEST_CASE("an input that is written to is found, also through a tensor that shares its memory") {
  const at::Tensor a = at::ones({2}), b = at::ones({2}), c = at::ones({2});
  Inputs inputs;
  inputs.set(inputs.add("student.logits"), a);
  inputs.set(inputs.add("batch.weight"), at::Tensor());
  const std::size_t list = inputs.add_list("teacher.features", 2);
  inputs.set(list, 0, b);
  inputs.set(list, 1, c);
  InputVersions versions;
  const auto changed_by = [&](const auto& change) {
    versions.note(inputs.values());
    change();
    return std::string(versions.changed(inputs.values()));
  };
  CHECK(changed_by([] {}).empty());
  CHECK(changed_by([&] { (void)(a + 1); }).empty());
  CHECK(changed_by([&] { a.add_(1); }) == "student.logits");
  CHECK(changed_by([&] { a.detach().add_(1); }) == "student.logits");
  CHECK(changed_by([&] { a.select(0, 0).zero_(); }) == "student.logits");
  CHECK(changed_by([&] { c.mul_(2); }) == "teacher.features");

  const auto write = [](const at::Tensor& t, float number) { t.mutable_data_ptr<float>()[1] = number; };
  CHECK(changed_by([&] { write(b, 7); }).empty());  // a pointer raises no version
  versions.note(inputs.values(), /*contents=*/true);
  CHECK(versions.changed(inputs.values()).empty());
  write(b, 8);
  CHECK(versions.changed(inputs.values()) == "teacher.features");
  write(b, std::nanf(""));
  versions.note(inputs.values(), /*contents=*/true);
  CHECK(versions.changed(inputs.values()).empty());
}

TEST_CASE("a result that is an input itself is found") {
  const at::Tensor a = at::ones({}), b = at::ones({});
  Inputs inputs;
  inputs.set(inputs.add("student.a"), a);
  const std::size_t list = inputs.add_list("student.b", 1);
  inputs.set(list, 0, b);
  CHECK(same_input(lend(a), inputs.values()) == "student.a");
  CHECK(same_input(lend(b), inputs.values()) == "student.b");
  const at::Tensor other = a.alias();
  CHECK(same_input(lend(other), inputs.values()).empty());
  CHECK(same_input(nullptr, inputs.values()).empty());
}

TEST_CASE("the value of a loss is a floating-point scalar on the device") {
  CHECK(sound_value(at::zeros({}), at::kCPU));
  CHECK(sound_value(at::zeros({}, at::kDouble), at::kCPU));
  CHECK_FALSE(sound_value(at::Tensor(), at::kCPU));
  CHECK_FALSE(sound_value(at::zeros({1}), at::kCPU));
  CHECK_FALSE(sound_value(at::zeros({}, at::kLong), at::kCPU));
  CHECK_FALSE(sound_value(at::zeros({}, at::TensorOptions(at::kMeta)), at::kCPU));
}

TEST_CASE("results keep the shape of their first call while the inputs do") {
  KnownResults known;
  const auto fault = [&](const at::Tensor& input, const at::Tensor& result) {
    Inputs inputs;
    inputs.set(inputs.add("batch.input"), input);
    Outputs out;
    out.add("logits", result);
    const auto found = known.fault(out, inputs.values(), at::kCPU);
    return found ? found->what + ", expected " + found->expected : std::string();
  };
  CHECK(fault(at::zeros({4, 6}), at::zeros({4, 3})).empty());
  CHECK(fault(at::zeros({9, 6}), at::zeros({9, 3})).empty());
  CHECK(fault(at::zeros({9, 6}), at::zeros({9, 3}, at::kBFloat16)).empty());
  const std::string expected = ", expected float32 [N, 3] as in its first call, with N = 9";
  CHECK(fault(at::zeros({9, 6}), at::zeros({8, 3})) == "emitted 'logits' as float32 [8, 3] on cpu" + expected);
  CHECK(fault(at::zeros({9, 6}), at::zeros({9, 4})) == "emitted 'logits' as float32 [9, 4] on cpu" + expected);
  CHECK(fault(at::zeros({9, 6}), at::zeros({9, 3, 1})) == "emitted 'logits' as float32 [9, 3, 1] on cpu" + expected);
  CHECK(fault(at::zeros({9, 6}), at::zeros({9, 3}, at::kLong)) == "emitted 'logits' as int64 [9, 3] on cpu" + expected);
  CHECK(fault(at::zeros({9, 6}), at::zeros({9, 3}, at::TensorOptions(at::kMeta))) ==
        "emitted 'logits' as float32 [9, 3] on meta, expected a tensor on cpu");
  // Larger images have larger maps.
  CHECK(fault(at::zeros({9, 12}), at::zeros({9, 4})).empty());
  // Rows that were as many as the inputs by chance.
  CHECK(fault(at::zeros({9, 6}), at::zeros({4, 3})).empty());
}

TEST_CASE("logits without a gradient are a fault only where something is trained") {
  auto list = std::make_shared<PartList>(1);
  list->front().name = "w";
  list->front().sizes = {2};
  Parts parts(list, "student", 1, at::kFloat);
  parts.require_grad(true);
  Outputs out;
  out.add("logits", at::zeros({2, 3}));
  CHECK(lacks_gradient(out, parts));
  CHECK_FALSE(lacks_gradient(out, Parts()));
  {
    const at::NoGradGuard off;
    CHECK_FALSE(lacks_gradient(out, parts));
  }
  Outputs hidden;
  hidden.add("hidden1", at::zeros({2, 3}));
  CHECK_FALSE(lacks_gradient(hidden, parts));
  hidden.add("logits", parts[0] * 2);
  CHECK_FALSE(lacks_gradient(hidden, parts));
}

// ---- through the wrapper of a loss

std::function<kdh_status(const kdh_call*, kdh_tensor*)> returns;
const kdh_loss kCheckedTable{sizeof(kdh_loss),
                             [](void*, const kdh_call* call, kdh_tensor* out) { return returns(call, out); }};
const kdh_component kCheckedLoss = [] {
  kdh_component made = component(KDH_KIND_LOSS, "test.loss",
                                 [](const kdh_component*, const kdh_create*, void** self, const void** vtable) {
                                   *self = &returns;
                                   *vtable = &kCheckedTable;
                                   return static_cast<kdh_status>(KDH_OK);
                                 });
  made.destroy = [](void*) {};
  return made;
}();

TEST_CASE("a loss that hands back its input, or writes to it, is named; the input is not released") {
  LossInstance loss(origin(kCheckedLoss, "loss.test"), {});
  const at::Tensor x = at::ones({});
  loss.inputs().set(loss.inputs().add("student.loss"), x);
  // As a plugin in C that forgets that it owns no reference.
  returns = [](const kdh_call* call, kdh_tensor* out) {
    *out = call->inputs[0].value.u.tensor;
    return KDH_OK;
  };
  CHECK(error_of([&] { loss.compute({}); }) ==
        "5: run.toml:7:3: loss 'test.loss' of libtest.so, in compute: returned its input 'student.loss' itself.\n"
        "  Expected a new tensor. This is a mistake in the plugin.");
  CHECK(x.use_count() == 1);
  returns = [](const kdh_call* call, kdh_tensor* out) {
    *out = give(tensor(call->inputs[0].value.u.tensor).add_(1).clone());
    return KDH_OK;
  };
  CHECK(error_of([&] { loss.compute({}); }) ==
        "5: run.toml:7:3: loss 'test.loss' of libtest.so, in compute: changed its input 'student.loss' in place.\n"
        "  Expected a new tensor instead: others use the same memory. This is a mistake in the plugin.");
}

TEST_CASE("a component is in charge of the thread while it is called") {
  LossInstance loss(origin(kCheckedLoss, "loss.test"), {});
  Duty seen;
  returns = [&](const kdh_call*, kdh_tensor* out) {
    seen = duty_here();
    *out = give(at::zeros({}));
    return KDH_OK;
  };
  loss.compute({});
  REQUIRE(seen.charge != nullptr);
  CHECK(seen.charge->words == "loss 'test.loss' of libtest.so");
  CHECK(seen.charge->front == "run.toml:7:3");
  CHECK(std::string(seen.function) == "compute");
  CHECK(loss.words() == seen.charge->words);
  CHECK(duty_here().charge == nullptr);
}

}  // namespace
}  // namespace kdhost
