// SPDX-License-Identifier: MIT
// Transforms see the fields they ask for and random numbers of their own; only what they change is replaced.
#include "data/augment.hpp"
#include "tensor/aten.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "data/sample_order.hpp"
#include "tensor/handle.hpp"

namespace kdhost {
namespace {

/// Adds the lower bits of the sample's key to "input", or fails as the test asks.
struct Recorder {
  std::vector<uint64_t> keys;
  std::vector<uint32_t> flags;
  std::string emits = "batch.input";
  bool half = false;  // emits half of the rows
} recorder;

kdh_status apply(void*, const kdh_call* call) {
  recorder.keys.assign(call->sample_keys, call->sample_keys + call->n_sample_keys);
  recorder.flags.push_back(call->flags);
  const at::Tensor input = tensor(call->inputs[0].value.u.tensor);
  at::Tensor result = input + 1;
  if (recorder.half) result = result.narrow(0, 0, result.size(0) / 2);
  return call->emit(call, borrow(recorder.emits), lend(result));
}

const kdh_transform kTable = {sizeof(kdh_transform), apply};

kdh_status create(const kdh_component*, const kdh_create*, void** self, const void** vtable) {
  static int instance = 0;
  *self = &instance;
  *vtable = &kTable;
  return KDH_OK;
}

void destroy(void*) {}

/// A component with one port, kept as long as the process as those of plugins are.
const kdh_component* component(const char* port, uint32_t flags) {
  static std::vector<std::unique_ptr<kdh_port>> ports;
  static std::vector<std::unique_ptr<kdh_component>> components;
  ports.push_back(std::make_unique<kdh_port>());
  ports.back()->name = borrow(port);
  ports.back()->type = KDH_T_TENSOR;
  kdh_component& made = *components.emplace_back(std::make_unique<kdh_component>());
  made.kind = KDH_KIND_TRANSFORM;
  made.flags = flags;
  made.id = borrow("test.transform");
  made.inputs = ports.back().get();
  made.n_inputs = 1;
  made.port_size = sizeof(kdh_port);
  made.create = create;
  made.destroy = destroy;
  return &made;
}

Augment::Item item(const std::string& name, const char* port = "batch.input", uint32_t flags = 0) {
  Origin origin;
  origin.component = component(port, flags);
  origin.place = {"experiment.toml", 9, 3};
  origin.name = "data.transform." + name;
  Augment::Item made;
  made.transform = std::make_unique<TransformInstance>(origin, Creation{});
  made.in_evaluation = (flags & KDH_COMPONENT_FIXED) != 0;
  made.name = name;
  return made;
}

template <class... Items>
Augment augment(Items... given) {
  std::vector<Augment::Item> items;
  (items.push_back(std::move(given)), ...);
  return Augment(std::move(items));
}

Batch make_batch(const std::vector<int64_t>& samples = {4, 2, 9}) {
  recorder = {};
  Batch batch;
  batch.samples = samples;
  batch.keys = augmentation_keys(1, 0, samples);
  const auto count = static_cast<int64_t>(samples.size());
  batch.fields = {{"input", at::zeros({count, 2})}, {"label", at::zeros({count}, at::kLong)}};
  return batch;
}

TEST_CASE("transforms are applied in order and replace the field they change") {
  for (const char* port : {"batch.input", "input"}) {
    Augment chain = augment(item("a", port), item("b", port));
    Batch batch = make_batch();
    recorder.emits = port;
    chain.apply(batch, true);
    CHECK(at::equal(*batch.find("input"), at::full({3, 2}, 2.0f)));
    CHECK(batch.fields.size() == 2);
    CHECK(recorder.flags == std::vector<uint32_t>{KDH_CALL_TRAINING, KDH_CALL_TRAINING});
  }
}

TEST_CASE("evaluation applies only what is meant for it") {
  Augment chain = augment(item("random"), item("fixed", "batch.input", KDH_COMPONENT_FIXED));
  Batch batch = make_batch();
  batch.keys.clear();
  chain.apply(batch, false);
  CHECK(at::equal(*batch.find("input"), at::full({3, 2}, 1.0f)));
  CHECK(recorder.flags == std::vector<uint32_t>{0u});
}

TEST_CASE("random, mixing and one-sided transforms are told apart") {
  CHECK_FALSE(augment().random());
  CHECK_FALSE(augment(item("f", "input", KDH_COMPONENT_FIXED)).random());
  CHECK_FALSE(augment(item("f", "input", KDH_COMPONENT_FIXED)).differs_in_evaluation());
  CHECK(augment(item("f", "input", KDH_COMPONENT_FIXED), item("r")).random());
  CHECK(augment(item("r")).differs_in_evaluation());
  CHECK_FALSE(augment(item("r")).mixes());
  CHECK(augment(item("m", "input", KDH_COMPONENT_MIXES)).mixes());
}

TEST_CASE("each transform has random numbers of its own, which do not depend on the batch") {
  Augment a = augment(item("a")), b = augment(item("b")),
          second = augment(item("x", "input", KDH_COMPONENT_FIXED), item("a"));
  Batch batch = make_batch();
  a.apply(batch, true);
  const auto keys = recorder.keys;
  CHECK(keys.size() == 3);
  batch = make_batch();
  b.apply(batch, true);
  CHECK(recorder.keys != keys);
  batch = make_batch();
  second.apply(batch, true);
  CHECK(recorder.keys != keys);
  batch = make_batch({9, 5});
  a.apply(batch, true);
  CHECK(recorder.keys[0] == keys[2]);
}

TEST_CASE("a transform for a field that the data set lacks is refused with the fields there are") {
  Augment chain = augment(item("crop", "batch.inputs"));
  Batch batch = make_batch();
  try {
    chain.apply(batch, true);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::experiment);
    CHECK(std::string(error.what()) ==
          "experiment.toml:9:3: data.transform.crop: 'test.transform' needs the field 'inputs', which the data set "
          "does not "
          "have.\n"
          "  Expected one of: input, label. The nearest is 'input'. Choose a transform for these fields, or a data set "
          "that "
          "has 'inputs'.");
  }
}

TEST_CASE("a transform that changes the number of samples is refused") {
  Augment chain = augment(item("crop"));
  Batch batch = make_batch();
  recorder.half = true;
  try {
    chain.apply(batch, true);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::plugin);
    CHECK(std::string(error.what()).find("float32 [1, 2] on cpu") != std::string::npos);
  }
}

TEST_CASE("a random transform without keys is a defect of the host") {
  Augment chain = augment(item("crop"));
  Batch batch = make_batch();
  batch.keys.clear();
  CHECK_THROWS_AS(chain.apply(batch, true), Error);
}

}  // namespace
}  // namespace kdhost
