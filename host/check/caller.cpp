// SPDX-License-Identifier: MIT
// Callers of the six kinds; see caller.hpp.
#include "check/caller.hpp"

#include <ATen/CPUGeneratorImpl.h>

#include <cstring>
#include <limits>
#include <mutex>
#include <numeric>

#include "tensor/aten.hpp"
#include "tensor/dataset.hpp"
#include "tensor/loss.hpp"
#include "tensor/metric.hpp"
#include "tensor/model.hpp"
#include "tensor/scheduler.hpp"
#include "tensor/transform.hpp"

namespace kdhost::check {
namespace {

// Parts as a run has them: drawn from a seed, trained.
Parts trained_parts(const Instance& instance, std::uint64_t seed, at::ScalarType dtype) {
  Parts parts(instance.part_list(), "check", seed, dtype == at::kDouble ? at::kDouble : at::kFloat);
  parts.require_grad(true);
  return parts;
}

class LossCaller final : public Caller {
 public:
  LossCaller(const ComponentInfo& info, Origin origin, Creation creation)
      : Caller(info), loss(origin, std::move(creation)) {}
  LossInstance loss;

 private:
  const char* function() const override { return "compute"; }
  std::vector<NamedTensor> run() override {
    bind_ports(loss.inputs(), inputs);
    return {{"value", loss.compute(parts, settings)}};
  }
};

class ModelCaller final : public Caller {
 public:
  ModelCaller(const ComponentInfo& info, Origin origin, Creation creation)
      : Caller(info), model(origin, std::move(creation)) {}
  ModelInstance model;

 private:
  const char* function() const override { return "forward"; }
  std::vector<NamedTensor> run() override {
    bind_ports(model.inputs(), inputs);
    Outputs out;
    model.forward(parts, settings, Wants(), out);
    std::vector<NamedTensor> results;
    for (const auto& entry : out) results.push_back({entry.name, entry.value});
    return results;
  }
};

class TransformCaller final : public Caller {
 public:
  TransformCaller(const ComponentInfo& info, Origin origin, Creation creation)
      : Caller(info), transform(origin, std::move(creation)) {}
  TransformInstance transform;

 private:
  const char* function() const override { return "apply"; }
  std::vector<NamedTensor> run() override {
    bind_ports(transform.inputs(), inputs);
    const std::vector<at::Tensor> tensors = flat(inputs);
    const std::size_t samples =
        tensors.empty() || tensors[0].dim() == 0 ? 0 : static_cast<std::size_t>(tensors[0].size(0));
    if (keys_.size() != samples) {
      Stream stream(7, "sample keys");
      keys_.resize(samples);
      for (std::uint64_t& key : keys_) key = stream.next64();
    }
    CallSettings with_keys = settings;
    if (with_keys.sample_keys.empty()) with_keys.sample_keys = keys_;
    Outputs out;
    transform.apply(parts, with_keys, out);
    std::vector<NamedTensor> results;
    for (const auto& entry : out) results.push_back({entry.name, entry.value});
    return results;
  }
  std::vector<std::uint64_t> keys_;
};

class MetricCaller final : public Caller {
 public:
  MetricCaller(const ComponentInfo& info, Origin origin, Creation creation)
      : Caller(info), metric(origin, std::move(creation)) {}
  MetricInstance metric;

 private:
  const char* function() const override { return "sums"; }
  std::vector<NamedTensor> run() override {
    bind_ports(metric.inputs(), inputs);
    metric.reset();
    metric.add(settings);
    std::vector<NamedTensor> results;
    for (const auto& [name, number] : metric.result(settings))
      results.push_back({name, at::scalar_tensor(number, at::kDouble)});
    return results;
  }
};

class SchedulerCaller final : public Caller {
 public:
  SchedulerCaller(const ComponentInfo& info, Origin origin, Creation creation)
      : Caller(info), scheduler(origin, std::move(creation)) {}
  SchedulerInstance scheduler;

 private:
  const char* function() const override { return "value"; }
  std::vector<NamedTensor> run() override {
    constexpr std::int64_t kSteps = 40;
    constexpr std::int64_t kStepsPerEpoch = 10;
    at::Tensor values = at::empty({kSteps}, at::kDouble);
    const std::array<double, 3> history{0.5, 0.6, 0.55};
    const std::array<std::int64_t, 3> epochs{0, 1, 2};
    for (std::int64_t step = 0; step < kSteps; ++step) {
      kdh_moment moment{};
      moment.step = step;
      moment.steps = kSteps;
      moment.epoch = step / kStepsPerEpoch;
      moment.epochs = kSteps / kStepsPerEpoch;
      moment.steps_per_epoch = kStepsPerEpoch;
      moment.base = 1.5;
      moment.history = history.data();
      moment.history_epoch = epochs.data();
      moment.n_history = std::min<std::uint64_t>(static_cast<std::uint64_t>(moment.epoch), history.size());
      moment.higher_is_better = 1;
      values.mutable_data_ptr<double>()[step] = scheduler.value(moment);
    }
    return {{"values", values}};
  }
};

class DatasetCaller final : public Caller {
 public:
  DatasetCaller(const ComponentInfo& info, Origin origin, Creation creation)
      : Caller(info), dataset(origin, std::move(creation)) {}
  DatasetInstance dataset;

 private:
  const char* function() const override { return "fetch"; }
  std::vector<NamedTensor> run() override {
    std::vector<NamedTensor> results;
    for (const Split split : {Split::train, Split::validation, Split::test}) {
      const std::int64_t samples = dataset.samples(split);
      if (samples == 0) continue;
      const std::vector<std::int64_t> index{samples - 1, 0, samples / 2, 0};
      std::vector<void*> out;
      std::vector<at::Tensor> fields;
      for (const FieldInfo& field : dataset.info().fields) {
        std::vector<std::int64_t> sizes{static_cast<std::int64_t>(index.size())};
        sizes.insert(sizes.end(), field.sizes.begin(), field.sizes.end());
        fields.push_back(at::zeros(sizes, field.dtype));
        out.push_back(fields.back().mutable_data_ptr());
      }
      dataset.fetch(split, index, out);
      for (std::size_t i = 0; i < fields.size(); ++i) {
        results.push_back({std::to_string(static_cast<int>(split)) + "." + dataset.info().fields[i].name, fields[i]});
      }
    }
    return results;
  }
};

template <class Kind>
std::unique_ptr<Caller> with_parts(std::unique_ptr<Kind> caller, const Instance& instance,
                                   const CallerOptions& options) {
  caller->parts = trained_parts(instance, options.seed, options.dtype);
  return caller;
}

}  // namespace

std::vector<NamedTensor> Caller::call() {
  note_call(function(), info_);
  return run();
}

std::unique_ptr<Caller> make_caller(Subject& subject, const ComponentInfo& info, const Fit& fit,
                                    const CallerOptions& options) {
  Stream stream(subject.settings().seed, "check", options.seed);
  Tensors inputs = make_tensors(info, fit.layout, stream, options.dtype, options.leave_out);
  Origin origin = origin_of(subject, info);
  Creation creation = creation_of(subject, info, fit.parameters, inputs);
  std::unique_ptr<Caller> caller;
  switch (info.kind) {
    case KDH_KIND_LOSS: {
      auto loss = std::make_unique<LossCaller>(info, origin, std::move(creation));
      const Instance& instance = loss->loss;
      caller = with_parts(std::move(loss), instance, options);
      caller->settings.flags = KDH_CALL_TRAINING;
      break;
    }
    case KDH_KIND_MODEL: {
      auto model = std::make_unique<ModelCaller>(info, origin, std::move(creation));
      const Instance& instance = model->model;
      caller = with_parts(std::move(model), instance, options);
      break;
    }
    case KDH_KIND_TRANSFORM: {
      auto transform = std::make_unique<TransformCaller>(info, origin, std::move(creation));
      const Instance& instance = transform->transform;
      caller = with_parts(std::move(transform), instance, options);
      caller->settings.flags = KDH_CALL_TRAINING;
      break;
    }
    case KDH_KIND_SCHEDULER:
      caller = std::make_unique<SchedulerCaller>(info, origin, std::move(creation));
      break;
    case KDH_KIND_DATASET:
      caller = std::make_unique<DatasetCaller>(info, origin, std::move(creation));
      break;
    default:
      caller = std::make_unique<MetricCaller>(info, origin, std::move(creation));
  }
  caller->inputs = std::move(inputs);
  return caller;
}

const Fit& callable(Subject& subject, const ComponentInfo& info) {
  return callable(subject, info, [&](const Fit& fit) { make_caller(subject, info, fit)->call(); });
}

std::unique_ptr<Caller> make_caller(Subject& subject, const ComponentInfo& info, const CallerOptions& options) {
  return make_caller(subject, info, callable(subject, info), options);
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  const at::Tensor left = a.detach().contiguous();
  const at::Tensor right = b.detach().contiguous();
  return left.nbytes() == 0 || std::memcmp(left.const_data_ptr(), right.const_data_ptr(), left.nbytes()) == 0;
}

bool same_bits(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].name != b[i].name || !same_bits(a[i].value, b[i].value)) return false;
  }
  return true;
}

std::vector<NamedTensor> kept(const std::vector<NamedTensor>& results) {
  std::vector<NamedTensor> copies;
  for (const NamedTensor& result : results) copies.push_back({result.name, result.value.detach().clone()});
  return copies;
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  if (a.numel() == 0) return 0.0;
  const at::Tensor left = a.detach().to(at::kDouble);
  const at::Tensor right = b.detach().to(at::kDouble);
  const at::Tensor same = left.eq(right).logical_or(left.isnan().logical_and(right.isnan()));
  const at::Tensor relative = (left - right).abs() / left.abs().clamp_min(1.0);
  const at::Tensor worst = at::where(same, at::zeros_like(relative), relative).max();
  const double value = worst.item<double>();
  return value == value ? value : std::numeric_limits<double>::infinity();
}

bool all_finite(const at::Tensor& tensor) {
  return !tensor.is_floating_point() || at::isfinite(tensor.detach()).all().item<bool>();
}

bool draws_random_numbers(Caller& caller) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  const auto state = [&] {
    const std::lock_guard lock(generator.mutex());
    return generator.get_state();
  };
  {
    // Another seed than any call gets, so that a call that draws is seen to have seeded.
    const std::lock_guard lock(generator.mutex());
    generator.set_current_seed(0x5eed);
  }
  const at::Tensor before = state();
  caller.call();
  caller.parts.discard_writes();
  return !same_bits(before, state());
}

}  // namespace kdhost::check
