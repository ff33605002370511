// SPDX-License-Identifier: MIT
// The wrappers of all kinds but data sets, over small components written directly on the C interface: what they
// compute, and the full text of every promise a component can break.
#include <catch2/catch.hpp>

#include <functional>
#include <limits>
#include <stdexcept>

#include "boundary_values.hpp"
#include "tensor/loss.hpp"
#include "tensor/metric.hpp"
#include "tensor/model.hpp"
#include "tensor/scheduler.hpp"
#include "tensor/transform.hpp"

namespace kdhost {
namespace {

using namespace testing;

// The components below run what a test puts here. `self` is the address of `alive`, which counts instances.
struct Behaviour {
  std::function<kdh_status(const kdh_create*)> create = [](const kdh_create*) { return KDH_OK; };
  std::function<kdh_status(const kdh_call*, kdh_tensor*)> call;
  std::function<kdh_status(const kdh_call*, const double*, uint64_t)> result;
  std::function<kdh_status(const kdh_moment*, double*)> value;
  int alive = 0;
};
Behaviour behaviour;

const kdh_loss kLossTable{sizeof(kdh_loss),
                          [](void*, const kdh_call* call, kdh_tensor* out) { return behaviour.call(call, out); }};
const kdh_model kModelTable{sizeof(kdh_model),
                            [](void*, const kdh_call* call) { return behaviour.call(call, nullptr); }};
const kdh_transform kTransformTable{sizeof(kdh_transform),
                                    [](void*, const kdh_call* call) { return behaviour.call(call, nullptr); }};
const kdh_scheduler kSchedulerTable{sizeof(kdh_scheduler), [](void*, const kdh_moment* moment, const kdh_arg*, uint64_t,
                                                              double* out) { return behaviour.value(moment, out); }};
const kdh_metric kMetricTable{
    sizeof(kdh_metric), [](void*, const kdh_call* call, kdh_tensor* out) { return behaviour.call(call, out); },
    [](void*, const kdh_call* call, const double* sums, uint64_t n) { return behaviour.result(call, sums, n); }};

template <const auto* kTable>
kdh_status create_with(const kdh_component*, const kdh_create* create, void** self, const void** vtable) {
  const kdh_status status = behaviour.create(create);
  if (status != KDH_OK) return status;
  ++behaviour.alive;
  *self = &behaviour.alive;
  *vtable = kTable;
  return KDH_OK;
}

template <const auto* kTable>
kdh_component made_of(kdh_kind kind, const char* id) {
  kdh_component made = component(kind, id, create_with<kTable>);
  made.destroy = [](void* self) { --*static_cast<int*>(self); };
  return made;
}

const kdh_component kLoss = made_of<&kLossTable>(KDH_KIND_LOSS, "test.loss");
const kdh_component kModel = made_of<&kModelTable>(KDH_KIND_MODEL, "test.model");
const kdh_component kTransform = made_of<&kTransformTable>(KDH_KIND_TRANSFORM, "test.transform");
const kdh_component kScheduler = made_of<&kSchedulerTable>(KDH_KIND_SCHEDULER, "test.scheduler");
const kdh_component kMetric = made_of<&kMetricTable>(KDH_KIND_METRIC, "test.metric");

kdh_status fail(const kdh_call* call, kdh_status status, const char* text) {
  return call->host->set_error(call->host, status, borrow(text));
}

kdh_part declaration(const char* name, const std::vector<int64_t>& sizes, uint32_t role = KDH_PART_PARAMETER) {
  kdh_part made{};
  made.struct_size = sizeof made;
  made.name = borrow(name);
  made.role = role;
  made.sizes = sizes.data();
  made.rank = sizes.size();
  made.dtype = -1;
  return made;
}

TEST_CASE("a loss gives its scalar, its sub-terms and its scheduled parameters") {
  behaviour = {};
  behaviour.call = [](const kdh_call* call, kdh_tensor* out) {
    const at::Tensor x = tensor(call->inputs[0].value.u.tensor);
    at::Tensor value = x.sum() * call->params[0].value.u.f;
    call->emit(call, borrow("part"), lend(value));
    *out = give(std::move(value));
    return KDH_OK;
  };
  Creation creation;
  creation.params.add("temperature", 4.0);
  {
    LossInstance loss(origin(kLoss, "loss.test"), std::move(creation));
    CHECK(behaviour.alive == 1);
    const std::size_t port = loss.inputs().add("student.logits");
    const at::Tensor x = at::ones({2, 3}).requires_grad_();
    loss.inputs().set(port, x);
    const at::Tensor value = loss.compute({});
    CHECK(value.item<double>() == 24.0);
    CHECK(value.requires_grad());
    loss.params().set_number(0, 0.5);
    CHECK(loss.compute({}).item<double>() == 3.0);
    REQUIRE(loss.terms().size() == 1);
    CHECK(loss.terms()["part"].item<double>() == 3.0);
  }
  CHECK(behaviour.alive == 0);
}

TEST_CASE("a loss that returns anything but a floating-point scalar is refused") {
  behaviour = {};
  LossInstance loss(origin(kLoss, "loss.test"), {});
  const auto text_for = [&](const at::Tensor& value) {
    behaviour.call = [&value](const kdh_call*, kdh_tensor* out) {
      *out = give(at::Tensor(value));
      return KDH_OK;
    };
    return error_of([&] { loss.compute({}); });
  };
  const std::string front = "5: run.toml:7:3: loss 'test.loss' of libtest.so, in compute: returned ";
  const std::string back = ".\n  Expected a floating-point scalar (shape []) on cpu. This is a mistake in the plugin.";
  CHECK(text_for({}) == front + "no tensor" + back);
  CHECK(text_for(at::zeros({64})) == front + "float32 [64] on cpu" + back);
  CHECK(text_for(at::zeros({1})) == front + "float32 [1] on cpu" + back);
  CHECK(text_for(at::zeros({}, at::kLong)) == front + "int64 [] on cpu" + back);
  CHECK(text_for(at::zeros({}, at::TensorOptions(at::kMeta))) == front + "float32 [] on meta" + back);
}

TEST_CASE("a status becomes an error with place, component, file, function and the plugin's text") {
  behaviour = {};
  LossInstance loss(origin(kLoss, "loss.test"), {});
  behaviour.call = [](const kdh_call* call, kdh_tensor*) {
    return fail(call, KDH_E_INVALID_ARGUMENT,
                "'teacher.logits' is [64, 1000], expected [64, 10] like 'student.logits'");
  };
  CHECK(error_of([&] { loss.compute({}); }) ==
        "5: run.toml:7:3: loss 'test.loss' of libtest.so, in compute: 'teacher.logits' is [64, 1000], expected [64, "
        "10] like "
        "'student.logits'");
  behaviour.call = [](const kdh_call* call, kdh_tensor*) { return fail(call, KDH_E_DATA, "bank.bin is cut short"); };
  CHECK(error_of([&] { loss.compute({}); }) ==
        "4: run.toml:7:3: loss 'test.loss' of libtest.so, in compute: bank.bin is cut short");
  behaviour.call = [](const kdh_call*, kdh_tensor*) { return KDH_E_PLUGIN; };
  CHECK(error_of([&] { loss.compute({}); }) ==
        "5: run.toml:7:3: loss 'test.loss' of libtest.so, in compute: failed with status 5 and no text.");
}

TEST_CASE("an exception that a plugin lets out becomes an error") {
  behaviour = {};
  LossInstance loss(origin(kLoss, "loss.test"), {});
  behaviour.call = [](const kdh_call*, kdh_tensor*) -> kdh_status { throw std::runtime_error("boom"); };
  CHECK(error_of([&] { loss.compute({}); }) ==
        "5: run.toml:7:3: loss 'test.loss' of libtest.so, in compute: let an exception out: boom.\n"
        "  Expected a status and a text, never an exception. This is a mistake in the plugin.");
  behaviour.call = [](const kdh_call*, kdh_tensor*) -> kdh_status { throw 3; };
  CHECK(error_of([&] { loss.compute({}); }) ==
        "5: run.toml:7:3: loss 'test.loss' of libtest.so, in compute: let an exception of an unknown type out.\n"
        "  Expected a status and a text, never an exception. This is a mistake in the plugin.");
}

TEST_CASE("a component that cannot be created, or is of another kind, is refused") {
  behaviour = {};
  behaviour.create = [](const kdh_create* create) {
    return create->host->set_error(create->host, KDH_E_INVALID_ARGUMENT, borrow("hidden must not be empty"));
  };
  CHECK(error_of([] { LossInstance(origin(kLoss, "loss.test"), {}); }) ==
        "5: run.toml:7:3: loss 'test.loss' of libtest.so, in create: hidden must not be empty");
  CHECK(error_of([] { LossInstance(origin(kModel, "loss.test"), {}); }) ==
        "3: run.toml:7:3: 'test.model' is a model.\n  Expected a loss.");
  static const kdh_loss empty_table{sizeof(kdh_loss), nullptr};
  static const kdh_component empty = made_of<&empty_table>(KDH_KIND_LOSS, "test.empty");
  behaviour = {};
  CHECK(error_of([] { LossInstance(origin(empty, "loss.test"), {}); }) ==
        "5: run.toml:7:3: loss 'test.empty' of libtest.so, in create: the table of functions has no 'compute'.\n"
        "  Expected a complete table. This is a mistake in the plugin.");
  CHECK(behaviour.alive == 0);
  static const kdh_component bare = component(
      KDH_KIND_LOSS, "test.bare", [](const kdh_component*, const kdh_create*, void**, const void**) { return KDH_OK; });
  CHECK(error_of([] { LossInstance(origin(bare, "loss.test"), {}); }) ==
        "5: run.toml:7:3: loss 'test.bare' of libtest.so, in create: gave no table of functions.\n"
        "  Expected a table of functions. This is a mistake in the plugin.");
}

TEST_CASE("an instance sees parameters, shapes and facts, and declares parts in order") {
  behaviour = {};
  const std::vector<int64_t> weight_sizes{3, 2};
  std::vector<uint64_t> slots;
  behaviour.create = [&](const kdh_create* create) {
    CHECK(view(create->params[0].name) == "hidden");
    CHECK(view(create->shapes[0].port) == "batch.input");
    CHECK(create->shapes[0].sizes[1] == 2);
    CHECK(create->shape_size == sizeof(kdh_shape));
    CHECK(create->facts[0].value.u.i == 10);
    kdh_part weight = declaration("fc.weight", weight_sizes);
    weight.flags = KDH_PART_NO_DECAY;
    kdh_part mean = declaration("mean", {}, KDH_PART_BUFFER);
    slots.resize(2);
    const kdh_status status = create->add_part(create, &weight, slots.data());
    return status != KDH_OK ? status : create->add_part(create, &mean, slots.data() + 1);
  };
  Creation creation;
  creation.params.add("hidden", 3);
  creation.shapes.push_back({"batch.input", {-1, 2}, at::kFloat});
  creation.facts.add("classes", 10);
  const ModelInstance model(origin(kModel, "student"), std::move(creation));
  REQUIRE(model.part_list()->size() == 2);
  CHECK(slots == std::vector<uint64_t>{0, 1});
  CHECK((*model.part_list())[0].name == "fc.weight");
  CHECK((*model.part_list())[0].no_decay);
  CHECK((*model.part_list())[1].role == PartRole::buffer);
}

TEST_CASE("a part that makes no sense is refused by name") {
  const std::vector<int64_t> good{2};
  const std::vector<int64_t> negative{-2};
  const std::vector<int64_t> huge{1 << 30, 1 << 30};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const at::Tensor three = at::zeros({3});
  struct Case {
    std::function<void(kdh_part&)> change;
    std::string text;
  };
  const std::vector<Case> cases{
      {[](kdh_part& part) { part.name = {}; }, "a part was declared without a name"},
      {[](kdh_part& part) { part.role = 9; }, "part 'w': role 9 is not known"},
      {[](kdh_part& part) { part.init = 9; }, "part 'w': init 9 is not known"},
      {[](kdh_part& part) { part.dtype = 9; }, "part 'w': dtype 9 is not known"},
      {[](kdh_part& part) { part.rank = 99; }, "part 'w': rank 99 is not allowed (at most 16, with sizes)"},
      {[&](kdh_part& part) { part.sizes = negative.data(); }, "part 'w': shape [-2] is not possible"},
      {[&](kdh_part& part) { part.sizes = huge.data(), part.rank = 2; },
       "part 'w': shape [1073741824, 1073741824] is not possible"},
      {[](kdh_part& part) { part.dtype = KDH_DTYPE_I64; }, "part 'w': a parameter must be floating-point, found int64"},
      {[](kdh_part& part) { part.role = KDH_PART_BUFFER, part.dtype = KDH_DTYPE_I64, part.init = KDH_INIT_NORMAL; },
       "part 'w': random numbers need a floating-point dtype, found int64"},
      {[&](kdh_part& part) { part.init = KDH_INIT_CONSTANT, part.a = nan; },
       "part 'w': a is nan, expected a finite number"},
      {[&](kdh_part& part) { part.init = KDH_INIT_UNIFORM, part.b = nan; },
       "part 'w': b is nan, expected a finite number"},
      {[](kdh_part& part) { part.init = KDH_INIT_UNIFORM, part.a = 1; }, "part 'w': uniform from 1 to 0 is empty"},
      {[](kdh_part& part) { part.init = KDH_INIT_NORMAL, part.b = -1; }, "part 'w': standard deviation -1 is negative"},
      {[](kdh_part& part) { part.init = KDH_INIT_VALUE; }, "part 'w': init is a value, but no value was given"},
      {[&](kdh_part& part) { part.init = KDH_INIT_VALUE, part.value = lend(three); },
       "part 'w': the value is float32 [3] on cpu, the part has shape [2]"},
  };
  for (const Case& one : cases) {
    behaviour = {};
    behaviour.create = [&](const kdh_create* create) {
      kdh_part part = declaration("w", good);
      one.change(part);
      return create->add_part(create, &part, nullptr);
    };
    CHECK(error_of([] { ModelInstance(origin(kModel, "student"), {}); }) ==
          "5: run.toml:7:3: model 'test.model' of libtest.so, in create: " + one.text);
  }
  behaviour.create = [&](const kdh_create* create) {
    const kdh_part part = declaration("w", good);
    create->add_part(create, &part, nullptr);
    return create->add_part(create, &part, nullptr);
  };
  CHECK(error_of([] { ModelInstance(origin(kModel, "student"), {}); }) ==
        "5: run.toml:7:3: model 'test.model' of libtest.so, in create: part 'w': declared twice");
  CHECK(
      error_of([] { MetricInstance(origin(kMetric, "metric.test"), {}); }) ==
      "5: run.toml:7:3: metric 'test.metric' of libtest.so, in create: only losses, models and transforms can declare "
      "parameters and buffers");
}

// A model with one buffer: emits "logits" = input * 2 and "hidden" = input, adds 1 to the buffer.
void behave_as_model() {
  behaviour = {};
  static const std::vector<int64_t> one{1};
  behaviour.create = [](const kdh_create* create) {
    const kdh_part count = declaration("count", one, KDH_PART_BUFFER);
    return create->add_part(create, &count, nullptr);
  };
  behaviour.call = [](const kdh_call* call, kdh_tensor*) {
    const at::Tensor x = tensor(call->inputs[0].value.u.tensor);
    if (call->wants(call, borrow("hidden")) != 0) call->emit(call, borrow("hidden"), lend(x));
    const at::Tensor more = tensor(call->parts[0]) + 1;
    call->write(call, 0, lend(more));
    const at::Tensor logits = x * 2;
    return call->emit(call, borrow("logits"), lend(logits));
  };
}

TEST_CASE("a model gives only what is wanted, in the order it emits") {
  behave_as_model();
  ModelInstance model(origin(kModel, "student"), {});
  Parts parts(model.part_list(), "student", 1, at::kFloat);
  const at::Tensor x = at::ones({2});
  model.inputs().set(model.inputs().add("batch.input"), x);
  Outputs out;
  model.forward(parts, {}, Wants(), out);
  REQUIRE(out.size() == 2);
  CHECK(out[std::size_t{0}].name == "hidden");
  model.forward(parts, {}, Wants({"logits"}), out);
  REQUIRE(out.size() == 1);
  CHECK(out["logits"][0].item<double>() == 2.0);
  CHECK(error_of([&] {
          model.forward(parts, {}, Wants({"logits", "hiden"}), out);
        }) ==
        "5: run.toml:7:3: model 'test.model' of libtest.so, in forward: emitted no result named 'hiden' (logits).\n"
        "  Expected all results that were asked for: logits, hiden. This is a mistake in the plugin.");
}

TEST_CASE("buffers are written at once in evaluation, after backward in training, never in a dry batch") {
  behave_as_model();
  ModelInstance model(origin(kModel, "student"), {});
  Parts parts(model.part_list(), "student", 1, at::kFloat);
  const at::Tensor x = at::ones({2});
  model.inputs().set(model.inputs().add("batch.input"), x);
  Outputs out;
  const auto count = [&] { return parts[0].item<double>(); };
  model.forward(parts, {}, Wants(), out);
  CHECK(count() == 1.0);
  model.forward(parts, {.flags = KDH_CALL_TRAINING}, Wants(), out);
  CHECK(count() == 1.0);
  parts.apply_writes();
  CHECK(count() == 2.0);
  model.forward(parts, {.flags = KDH_CALL_TRAINING | KDH_CALL_DRY}, Wants(), out);
  CHECK_FALSE(parts.has_writes());
  CHECK(count() == 2.0);
}

TEST_CASE("a dry batch runs on copies of the buffers, so that batch norm leaves no trace") {
  behave_as_model();
  behaviour.call = [](const kdh_call* call, kdh_tensor*) {
    at::Tensor count = tensor(call->parts[0]);
    count.add_(1);
    return call->emit(call, borrow("logits"), lend(count));
  };
  ModelInstance model(origin(kModel, "student"), {});
  Parts parts(model.part_list(), "student", 1, at::kFloat);
  Outputs out;
  model.forward(parts, {.flags = KDH_CALL_TRAINING | KDH_CALL_DRY}, Wants(), out);
  CHECK(parts[0].item<double>() == 0.0);
  model.forward(parts, {.flags = KDH_CALL_TRAINING}, Wants(), out);
  CHECK(parts[0].item<double>() == 1.0);
}

TEST_CASE("a result emitted twice, without a name or without a tensor is refused") {
  behave_as_model();
  ModelInstance model(origin(kModel, "student"), {});
  Parts parts(model.part_list(), "student", 1, at::kFloat);
  Outputs out;
  const auto text_for = [&](auto&& call) {
    behaviour.call = call;
    return error_of([&] { model.forward(parts, {}, Wants(), out); });
  };
  const std::string front = "5: run.toml:7:3: model 'test.model' of libtest.so, in forward: ";
  CHECK(text_for([](const kdh_call* call, kdh_tensor*) {
          const at::Tensor x = at::ones({1});
          call->emit(call, borrow("logits"), lend(x));
          return call->emit(call, borrow("logits"), lend(x));
        }) == front + "result 'logits' was emitted twice");
  CHECK(text_for([](const kdh_call* call, kdh_tensor*) { return call->emit(call, borrow("logits"), nullptr); }) ==
        front + "result 'logits' was emitted without a tensor");
  CHECK(text_for([](const kdh_call* call, kdh_tensor*) { return call->emit(call, {}, nullptr); }) ==
        front + "a result was emitted without a name");
  CHECK(text_for([](const kdh_call* call, kdh_tensor*) { return call->emit_number(call, borrow("x"), 1.0); }) ==
        front + "this kind of component emits no numbers");
  CHECK(text_for([](const kdh_call* call, kdh_tensor*) {
          const at::Tensor wrong = at::ones({3});
          return call->write(call, 0, lend(wrong));
        }) == front + "student: write to 'count' of float32 [3] on cpu, expected shape [1].");
}

TEST_CASE("derived tensors are made once for frozen parts and again when the parts change") {
  behave_as_model();
  static int derivations = 0;
  derivations = 0;
  behaviour.call = [](const kdh_call* call, kdh_tensor*) {
    kdh_tensor folded = nullptr;
    const auto derive = [](void*, kdh_tensor* out, uint64_t) -> kdh_status {
      out[0] = give(at::full({1}, static_cast<double>(++derivations)));
      return KDH_OK;
    };
    const kdh_status status = call->derived(call, 5, derive, nullptr, &folded, 1);
    const at::Tensor result = take(folded);
    return status != KDH_OK ? status : call->emit(call, borrow("logits"), lend(result));
  };
  ModelInstance model(origin(kModel, "teacher"), {});
  Parts parts(model.part_list(), "teacher", 1, at::kFloat);
  Outputs out;
  const auto run = [&](uint32_t flags) {
    model.forward(parts, {.flags = flags}, Wants(), out);
    return out["logits"].item<double>();
  };
  CHECK(run(0) == 1.0);
  CHECK(run(0) == 2.0);
  CHECK(run(KDH_CALL_FROZEN) == 3.0);
  CHECK(run(KDH_CALL_FROZEN) == 3.0);
  Parts other = parts.clone("average");
  model.forward(other, {.flags = KDH_CALL_FROZEN}, Wants(), out);
  CHECK(out["logits"].item<double>() == 4.0);
  CHECK(run(KDH_CALL_FROZEN) == 3.0);
  parts.copy_from(0, at::ones({1}), "test");
  CHECK(run(KDH_CALL_FROZEN) == 5.0);
}

TEST_CASE("a failing derivation hands over its text and leaks nothing") {
  behave_as_model();
  static at::Tensor half;
  half = at::ones({1});
  behaviour.call = [](const kdh_call* call, kdh_tensor*) {
    kdh_tensor out[2] = {};
    const auto derive = [](void* ctx, kdh_tensor* made, uint64_t) -> kdh_status {
      made[0] = give(at::Tensor(half));
      const auto* outer = static_cast<const kdh_call*>(ctx);
      return fail(outer, KDH_E_PLUGIN, "no variance to fold");
    };
    return call->derived(call, 1, derive, const_cast<kdh_call*>(call), out, 2);
  };
  ModelInstance model(origin(kModel, "teacher"), {});
  Parts parts(model.part_list(), "teacher", 1, at::kFloat);
  Outputs out;
  CHECK(error_of([&] { model.forward(parts, {.flags = KDH_CALL_FROZEN}, Wants(), out); }) ==
        "5: run.toml:7:3: model 'test.model' of libtest.so, in forward: no variance to fold");
  CHECK(half.use_count() == 1);
}

TEST_CASE("a transform hands back the changed fields and runs without gradient") {
  behaviour = {};
  behaviour.call = [](const kdh_call* call, kdh_tensor*) {
    CHECK(call->host->grad_mode(call->host, -1) == 0);
    CHECK(call->n_sample_keys == 2);
    const at::Tensor x = tensor(call->inputs[0].value.u.tensor) + static_cast<double>(call->sample_keys[1]);
    return call->emit(call, borrow("input"), lend(x));
  };
  TransformInstance transform(origin(kTransform, "data.transform.test"), {});
  CHECK_FALSE(transform.fixed());
  const at::Tensor x = at::zeros({2});
  transform.inputs().set(transform.inputs().add("batch.input"), x);
  const std::vector<uint64_t> keys{3, 4};
  Outputs changed;
  transform.apply({.sample_keys = keys}, changed);
  CHECK(changed["input"][0].item<double>() == 4.0);
}

TEST_CASE("a scheduler gives a finite number for a moment") {
  behaviour = {};
  behaviour.value = [](const kdh_moment* moment, double* out) {
    CHECK(moment->struct_size == sizeof(kdh_moment));
    *out = moment->base * (1.0 - static_cast<double>(moment->step) / static_cast<double>(moment->steps));
    return KDH_OK;
  };
  const SchedulerInstance scheduler(origin(kScheduler, "schedule.lr"), {});
  kdh_moment moment{};
  moment.base = 2.0;
  moment.step = 5;
  moment.steps = 10;
  CHECK(scheduler.value(moment) == 1.0);
  behaviour.value = [](const kdh_moment*, double* out) {
    *out = std::numeric_limits<double>::infinity();
    return KDH_OK;
  };
  CHECK(error_of([&] { scheduler.value(moment); }) ==
        "5: run.toml:7:3: scheduler 'test.scheduler' of libtest.so, in value: returned inf at step 5 of 10.\n"
        "  Expected a finite number. This is a mistake in the plugin.");
}

TEST_CASE("a metric is the same however the data are cut into batches") {
  behaviour = {};
  behaviour.call = [](const kdh_call* call, kdh_tensor* out) {
    const at::Tensor x = tensor(call->inputs[0].value.u.tensor);
    *out = give(at::stack({x.sum(), at::full({}, static_cast<double>(x.numel()))}).to(at::kDouble));
    return KDH_OK;
  };
  behaviour.result = [](const kdh_call* call, const double* sums, uint64_t) {
    return call->emit_number(call, borrow("mean"), sums[0] / sums[1]);
  };
  MetricInstance metric(origin(kMetric, "metric.mean"), {});
  CHECK(metric.higher_is_better());
  const std::size_t port = metric.inputs().add("student.logits");
  const at::Tensor all = at::arange(10, at::kDouble);
  const auto mean_in_pieces = [&](int64_t size) {
    metric.reset();
    for (const at::Tensor& piece : all.split(size)) {
      metric.inputs().set(port, piece);
      metric.add({});
    }
    return metric.result({})[0].second;
  };
  CHECK(mean_in_pieces(10) == 4.5);
  CHECK(mean_in_pieces(3) == 4.5);
  CHECK(metric.result({})[0].first == "mean");

  metric.inputs().set(port, all);
  behaviour.call = [](const kdh_call*, kdh_tensor* out) {
    *out = give(at::zeros({3}, at::kDouble));
    return KDH_OK;
  };
  CHECK(error_of([&] { metric.add({}); }) ==
        "5: run.toml:7:3: metric 'test.metric' of libtest.so, in sums: returned float64 [3] on cpu.\n"
        "  Expected float64 [2] as for the batch before. This is a mistake in the plugin.");
  metric.reset();
  CHECK(error_of([&] { metric.result({}); }) == "1: metric.mean: the metric was asked for before any batch.");
  metric.add({});
  behaviour.result = [](const kdh_call*, const double*, uint64_t) { return KDH_OK; };
  CHECK(error_of([&] { metric.result({}); }) ==
        "5: run.toml:7:3: metric 'test.metric' of libtest.so, in result: emitted no number.\n"
        "  Expected at least one number. This is a mistake in the plugin.");
}

}  // namespace
}  // namespace kdhost
