// SPDX-License-Identifier: MIT
// Level 5 of the validator, transforms and metrics: a result belongs to samples, not to how they were cut into batches.
#include <ATen/core/grad_mode.h>

#include "base/text.hpp"
#include "check/caller.hpp"
#include "check/suite.hpp"
#include "tensor/aten.hpp"
#include "tensor/metric.hpp"

namespace kdhost::check {
namespace {

std::vector<std::uint64_t> keys_for(std::int64_t samples, std::uint64_t seed) {
  Stream stream(seed, "sample keys");
  std::vector<std::uint64_t> keys(static_cast<std::size_t>(samples));
  for (std::uint64_t& key : keys) key = stream.next64();
  return keys;
}

at::Tensor reversed(const at::Tensor& tensor) { return tensor.detach().flip({0}).contiguous(); }

constexpr const char* kMendStream = "Draw from c.stream(i) only, the stream of sample i, and from nothing else.";

Finding test_transform_order(Subject& subject, const ComponentInfo* info) {
  if ((subject.library().component(info->id)->flags & KDH_COMPONENT_MIXES) != 0) {
    return passed("mixes samples, as it says.");
  }
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  std::vector<std::uint64_t> keys = keys_for(callable(subject, *info).layout.batch, 3);
  caller->settings.sample_keys = keys;
  const std::vector<NamedTensor> straight = kept(caller->call());
  std::reverse(keys.begin(), keys.end());
  caller->settings.sample_keys = keys;
  caller->inputs = changed(caller->inputs, [](const PortTensors&, const at::Tensor& t) { return reversed(t); });
  const std::vector<NamedTensor> back = caller->call();
  for (std::size_t i = 0; i < straight.size() && i < back.size(); ++i) {
    if (difference(straight[i].value, reversed(back[i].value)) < 1e-5) continue;
    return failed(
        "gives a sample another '" + straight[i].name + "' when the samples of its batch are in another order.",
        std::string(kMendStream) + " Say mixes_samples() if samples of a batch are mixed.");
  }
  return passed();
}

Finding test_transform_keys(Subject& subject, const ComponentInfo* info) {
  const bool fixed = (subject.library().component(info->id)->flags & KDH_COMPONENT_FIXED) != 0;
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const std::int64_t samples = callable(subject, *info).layout.batch;
  const std::vector<std::uint64_t> keys = keys_for(samples, 3);
  caller->settings.sample_keys = keys;
  const std::vector<NamedTensor> first = kept(caller->call());
  bool any_differs = false;
  for (std::uint64_t seed = 4; seed < 12; ++seed) {
    const std::vector<std::uint64_t> others = keys_for(samples, seed);
    caller->settings.sample_keys = others;
    any_differs = any_differs || !same_bits(first, caller->call());
  }
  if (fixed && any_differs) {
    return failed("says that it is fixed, but changes a sample differently in another epoch.",
                  "Remove fixed() from describe, or do not draw random numbers.");
  }
  if (!fixed && !any_differs) {
    return warned("changes a sample the same way in every epoch, but does not say that it is fixed.",
                  "Add fixed() in describe, so that it is used in evaluation too and teacher outputs can be kept.");
  }
  return passed();
}

Finding test_transform_shape(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const std::int64_t samples = callable(subject, *info).layout.batch;
  const std::vector<NamedTensor> results = caller->call();
  if (results.empty()) {
    return failed("emits no field, so it changes nothing.",
                  "Emit each changed field by name, as c.emit(\"input\", x).");
  }
  for (const NamedTensor& result : results) {
    if (result.value.dim() == 0 || result.value.size(0) != samples) {
      return failed("emits '" + result.name + "' as " + tensor_text(result.value) + " for " + std::to_string(samples) +
                        " samples.",
                    "Keep the batch as the first dimension of every field.");
    }
    if (!all_finite(result.value)) {
      return failed("makes numbers in '" + result.name + "' that are not finite.", "Guard divisors that can be 0.");
    }
  }
  return passed();
}

// The metric's numbers after the given batches.
Numbers numbers_of(Subject& subject, const ComponentInfo& info, const std::vector<Tensors>& batches) {
  const Fit& fit = callable(subject, info);
  MetricInstance metric(origin_of(subject, info), creation_of(subject, info, fit.parameters, batches.front()));
  CallSettings settings;
  for (const Tensors& batch : batches) {
    bind_ports(metric.inputs(), batch);
    note_call("sums", info);
    metric.add(settings);
  }
  note_call("result", info);
  return metric.result(settings);
}

Tensors metric_inputs(Subject& subject, const ComponentInfo& info, std::int64_t samples) {
  Layout layout = callable(subject, info).layout;
  layout.batch = samples;
  Stream stream(subject.settings().seed, "metric");
  const Tensors made = make_tensors(info, layout, stream, at::kFloat);
  return changed(made, [](const PortTensors&, const at::Tensor& t) { return t.detach(); });
}

Tensors part_of(const Tensors& tensors, std::int64_t begin, std::int64_t count) {
  return changed(tensors,
                 [&](const PortTensors&, const at::Tensor& t) { return t.narrow(0, begin, count).contiguous(); });
}

std::string number_difference(const Numbers& a, const Numbers& b) {
  if (a.size() != b.size()) return std::to_string(a.size()) + " numbers, and " + std::to_string(b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool both_nan = a[i].second != a[i].second && b[i].second != b[i].second;
    if (both_nan || std::abs(a[i].second - b[i].second) <= 1e-6 * std::max(1.0, std::abs(a[i].second))) continue;
    return a[i].first + " = " + shortest(a[i].second) + ", and " + shortest(b[i].second);
  }
  return {};
}

constexpr const char* kMendSums =
    "Let sums() add up over samples what result() divides; divide by a number of samples only there.";

Finding test_metric_split(Subject& subject, const ComponentInfo* info) {
  const Tensors all = metric_inputs(subject, *info, 60);
  const Numbers whole = numbers_of(subject, *info, {all});
  const Numbers parts = numbers_of(subject, *info, {part_of(all, 0, 17), part_of(all, 17, 1), part_of(all, 18, 42)});
  const std::string differs = number_difference(whole, parts);
  if (differs.empty()) return passed();
  return failed("gives for one batch and for the same samples in three: " + differs + ".", kMendSums);
}

Finding test_metric_order(Subject& subject, const ComponentInfo* info) {
  const Tensors all = metric_inputs(subject, *info, 60);
  const Tensors back = changed(all, [](const PortTensors&, const at::Tensor& t) { return reversed(t); });
  const std::string differs = number_difference(numbers_of(subject, *info, {all}), numbers_of(subject, *info, {back}));
  if (differs.empty()) return passed();
  return failed("gives for the same samples in another order: " + differs + ".", kMendSums);
}

Finding test_metric_reset(Subject& subject, const ComponentInfo* info) {
  const Tensors first = metric_inputs(subject, *info, 20);
  const Fit& fit = callable(subject, *info);
  MetricInstance metric(origin_of(subject, *info), creation_of(subject, *info, fit.parameters, first));
  const CallSettings settings;
  const auto measure = [&](const Tensors& batch) {
    metric.reset();
    bind_ports(metric.inputs(), batch);
    metric.add(settings);
    return Numbers(metric.result(settings));
  };
  const Numbers before = measure(first);
  measure(part_of(first, 3, 9));
  const std::string differs = number_difference(before, measure(first));
  if (differs.empty()) return passed();
  return failed("remembers earlier samples after a reset: " + differs + ".",
                "Keep no sums in members; the host adds them up.");
}

}  // namespace

void add_batch_tests(std::vector<Test>& tests) {
  const auto add = [&](const char* name, kdh_kind kind, Finding (*run)(Subject&, const ComponentInfo*)) {
    tests.push_back({.level = 5, .name = name, .kinds = {kind}, .needs = {"call.works"}, .run = run});
  };
  add("transform.shape", KDH_KIND_TRANSFORM, test_transform_shape);
  add("transform.order", KDH_KIND_TRANSFORM, test_transform_order);
  add("transform.keys", KDH_KIND_TRANSFORM, test_transform_keys);
  add("metric.split", KDH_KIND_METRIC, test_metric_split);
  add("metric.order", KDH_KIND_METRIC, test_metric_order);
  add("metric.reset", KDH_KIND_METRIC, test_metric_reset);
}

}  // namespace kdhost::check
