// SPDX-License-Identifier: MIT
// Every shipped component that touches tensors, one after the other as the plugins list them, on a GPU and on the CPU:
// the same values, gradients and buffers. What a component gets is made from the names of its ports; where there are
// several ways to fill them, the first that the component accepts counts, and none is a failure, so a component that is
// added later is compared too or asks for a line here.
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "plugins/shipped_component.hpp"
#include "tensor/loss.hpp"
#include "tensor/metric.hpp"
#include "tensor/model.hpp"
#include "tensor/transform.hpp"

namespace kdhost::test {
namespace {

constexpr int64_t kSamples = 8, kClasses = 10;

using Bound = std::vector<std::pair<std::string, at::Tensor>>;
using Tensors = std::map<std::string, at::Tensor>;

struct Shipped {
  std::string library;
  const kdh_component* component;
  std::string id() const { return std::string(view(component->id)); }
};

std::vector<Shipped> all_of(kdh_kind kind) {
  std::vector<Shipped> list;
  for (const auto& entry : std::filesystem::directory_iterator(kPluginDir)) {
    const std::string library = entry.path().stem().string();
    if (entry.path().extension() != ".so" || library.rfind("kdhost_", 0) != 0) continue;
    const kdh_plugin& plugin = shipped_plugin(library);
    for (uint64_t i = 0; i < plugin.n_components; ++i) {
      const auto* component = reinterpret_cast<const kdh_component*>(reinterpret_cast<const char*>(plugin.components) +
                                                                     i * plugin.component_size);
      if (component->kind == kind) list.push_back({library, component});
    }
  }
  std::sort(list.begin(), list.end(), [](const Shipped& a, const Shipped& b) { return a.id() < b.id(); });
  return list;
}

// Settings without which a component cannot be made, or cannot do with the ports that are bound here.
Settings settings_of(const kdh_component& component) {
  Settings settings;
  if (view(component.id) == "kdhost.ofd") settings.emplace_back("margin", -0.5);
  const std::map<std::string, Settings::value_type::second_type> known = {
      {"mean", std::vector<int64_t>{2}}, {"std", std::vector<int64_t>{2}}, {"batch_size", double{kSamples}}};
  for (uint64_t i = 0; i < component.n_params; ++i) {
    const std::string name(view(component.params[i].name));
    if ((component.params[i].flags & KDH_PARAM_REQUIRED) == 0) continue;
    if (known.count(name) == 0) FAIL("no value is known here for the required parameter " << name);
    settings.emplace_back(name, known.at(name));
  }
  return settings;
}

/// One way of filling the ports: a shape for each tap of a side, the inputs of models and transforms, the logits.
struct Filling {
  std::vector<std::vector<int64_t>> taps;
  std::vector<int64_t> input;
  std::vector<int64_t> logits = {kSamples, kClasses};
  bool hard_labels = true;  ///< else numbers in the shape of the logits
};

const std::vector<Filling>& fillings() {
  static const std::vector<Filling> list = {
      {{{kSamples, 8, 8, 8}, {kSamples, 16, 8, 8}, {kSamples, 16, 4, 4}}, {kSamples, 3, 32, 32}},
      {{{kSamples, 8, 8, 8}, {kSamples, 8, 8, 8}}, {kSamples, 1, 28, 28}},
      {{{kSamples, 8, 8, 8}}, {kSamples, 20}},
      {{{kSamples, 12}}, {kSamples, 1, 32, 32}, {kSamples, kClasses}, false},
      {{{kSamples, 5, 12}}, {kSamples, 8, 8}, {kSamples, 5, kClasses}},
  };
  return list;
}

at::Tensor tensor_for(const std::string& port, const Filling& filling, uint64_t seed) {
  const std::string rest = port.substr(port.find('.') + 1);
  if (rest == "logits") return generated(filling.logits, seed) * 3;
  if (rest == "label" && !filling.hard_labels) return generated(filling.logits, seed).abs();
  if (rest == "input") return generated(filling.input, seed);
  if (rest == "label") return at::arange(kSamples, at::kLong).remainder(kClasses);
  if (rest == "index") return at::arange(kSamples, at::kLong);
  if (rest == "classifier.weight") return generated({kClasses, filling.taps.front().at(1)}, seed);
  if (rest == "classifier.bias") return generated({kClasses}, seed);
  if (rest == "mask") return at::ones({kSamples, filling.taps.front().at(1)}, at::kLong);
  return generated(filling.taps.front(), seed);
}

Bound bound_to(const kdh_component& component, const Filling& filling) {
  Bound bound;
  uint64_t seed = 1;
  for (uint64_t i = 0; i < component.n_inputs; ++i) {
    const kdh_port& port = component.inputs[i];
    const std::string name(view(port.name));
    if ((port.flags & KDH_PORT_OPTIONAL) != 0) continue;
    if (port.type != KDH_T_TENSOR_LIST) {
      bound.emplace_back(name, tensor_for(name, filling, seed++));
      continue;
    }
    for (std::size_t k = 0; k < filling.taps.size(); ++k)
      bound.emplace_back(name + "." + std::to_string(k), generated(filling.taps[k], seed++));
  }
  return bound;
}

Creation creation_of(const kdh_component& component, const Bound& bound) {
  Creation creation;
  creation.params = arguments(component, settings_of(component));
  creation.facts.add("classes", kClasses);
  creation.facts.add("samples", int64_t{100});
  for (const auto& [port, value] : bound) creation.shapes.push_back({port, value.sizes().vec(), value.scalar_type()});
  return creation;
}

// Puts the tensors at their ports; those of list ports are named "port.0", "port.1", ...
void set_inputs(Inputs& inputs, const kdh_component& component, const Bound& bound) {
  for (uint64_t i = 0; i < component.n_inputs; ++i) {
    const std::string name(view(component.inputs[i].name));
    std::vector<at::Tensor> values;
    for (const auto& [port, value] : bound)
      if (port == name || port.substr(0, port.rfind('.')) == name) values.push_back(value);
    if (values.empty()) continue;
    if (component.inputs[i].type != KDH_T_TENSOR_LIST) {
      inputs.set(inputs.add(name), values.front());
      continue;
    }
    const std::size_t slot = inputs.add_list(name, values.size());
    for (std::size_t k = 0; k < values.size(); ++k) inputs.set(slot, k, values[k]);
  }
}

Bound on_device(const Bound& bound, at::Device device, bool student_learns) {
  Bound moved;
  for (const auto& [port, value] : bound) {
    at::Tensor t = value.detach().to(device).clone();
    if (student_learns && port.rfind("student.", 0) == 0 && t.is_floating_point()) t.requires_grad_();
    moved.emplace_back(port, t);
  }
  return moved;
}

void keep_gradients(Tensors& results, const Bound& inputs, const Parts& parts) {
  const auto keep = [&](const std::string& name, const at::Tensor& t) {
    if (t.requires_grad()) results["gradient of " + name] = t.grad().defined() ? t.grad() : at::zeros_like(t);
  };
  for (const auto& [port, value] : inputs) keep(port, value);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    keep(parts.spec(i).name, parts[i]);
    results["part " + parts.spec(i).name] = parts[i].detach();
  }
}

CallSettings training_on(at::Device device) {
  CallSettings settings;
  settings.flags = KDH_CALL_TRAINING;
  settings.device = device;
  return settings;
}

Tensors run_loss(const Shipped& c, const Bound& bound, at::Device device) {
  const Bound inputs = on_device(bound, device, /*student_learns=*/true);
  LossInstance loss(origin(*c.component, c.library, "loss.it"), creation_of(*c.component, bound));
  Parts parts(loss.part_list(), "loss.it", 1, at::kDouble);
  parts.to(device);
  parts.require_grad(true);
  set_inputs(loss.inputs(), *c.component, inputs);
  const at::Tensor value = loss.compute(parts, training_on(device));
  if (value.requires_grad()) value.backward();
  Tensors results{{"value", value.detach()}};
  keep_gradients(results, inputs, parts);
  return results;
}

Tensors run_model(const Shipped& c, const Bound& bound, at::Device device) {
  const Bound inputs = on_device(bound, device, /*student_learns=*/false);
  ModelInstance model(origin(*c.component, c.library, "student"), creation_of(*c.component, bound));
  Parts parts(model.part_list(), "student", 1, at::kDouble);
  parts.to(device);
  parts.require_grad(true);
  set_inputs(model.inputs(), *c.component, inputs);
  Outputs out;
  model.forward(parts, training_on(device), Wants(), out);
  Tensors results;
  at::Tensor sum;
  for (const Outputs::Entry& e : out) {
    results[e.name] = e.value.detach();
    const at::Tensor part = e.value.square().mean();
    sum = sum.defined() ? sum + part : part;
  }
  sum.backward();
  keep_gradients(results, inputs, parts);
  return results;
}

Tensors run_transform(const Shipped& c, const Bound& bound, at::Device device) {
  TransformInstance transform(origin(*c.component, c.library, "data.transform.it"), creation_of(*c.component, bound));
  const Bound inputs = on_device(bound, device, /*student_learns=*/false);  // lent to the instance
  set_inputs(transform.inputs(), *c.component, inputs);
  std::vector<uint64_t> keys;
  for (int64_t i = 0; i < kSamples; ++i) keys.push_back(static_cast<uint64_t>(77 + i * 1'000'003));
  CallSettings settings = training_on(device);
  settings.sample_keys = keys;
  Outputs changed;
  transform.apply(settings, changed);
  Tensors results;
  for (const Outputs::Entry& e : changed) results[e.name] = e.value;
  return results;
}

Tensors run_metric(const Shipped& c, const Bound& bound, at::Device device) {
  MetricInstance metric(origin(*c.component, c.library, "metric.it"), creation_of(*c.component, bound));
  const Bound inputs = on_device(bound, device, /*student_learns=*/false);  // lent to the instance
  set_inputs(metric.inputs(), *c.component, inputs);
  CallSettings settings;
  settings.device = device;
  metric.reset();
  metric.add(settings);
  metric.add(settings);
  Tensors results;
  for (const auto& [name, number] : metric.result(settings)) results[name] = at::tensor(number, at::kDouble);
  return results;
}

using Run = std::function<Tensors(const Shipped&, const Bound&, at::Device)>;

const std::vector<std::pair<kdh_kind, Run>>& kinds() {
  static const std::vector<std::pair<kdh_kind, Run>> list = {{KDH_KIND_LOSS, run_loss},
                                                             {KDH_KIND_MODEL, run_model},
                                                             {KDH_KIND_TRANSFORM, run_transform},
                                                             {KDH_KIND_METRIC, run_metric}};
  return list;
}

/// The first filling that the component accepts, with what it gives on the CPU.
std::optional<std::pair<Bound, Tensors>> accepted(const Shipped& c, const Run& run) {
  std::string refusals;
  for (const Filling& filling : fillings()) {
    const Bound bound = bound_to(*c.component, filling);
    try {
      return std::pair{bound, run(c, bound, at::kCPU)};
    } catch (const Error& refused) {
      refusals += std::string("\n") + refused.what();
    }
  }
  UNSCOPED_INFO(c.id() << " accepted none of the inputs that this test can make:" << refusals);
  return std::nullopt;
}

/// The largest difference relative to the largest number of `expected`.
double difference(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor a = found.to(at::kCPU, at::kDouble), b = expected.to(at::kDouble);
  if (a.sizes() != b.sizes()) return 1e300;
  if (a.numel() == 0) return 0;
  return (a - b).abs().max().item<double>() / std::max(1e-12, b.abs().max().item<double>());
}

}  // namespace

TEST_CASE("every shipped component accepts inputs made from the names of its ports, with finite results") {
  for (const auto& [kind, run] : kinds()) {
    const std::vector<Shipped> components = all_of(kind);
    CHECK(components.size() >= 5);
    for (const Shipped& c : components) {
      const auto found = accepted(c, run);
      CHECK(found.has_value());
      if (!found) continue;
      INFO(c.id());
      for (const auto& [name, value] : found->second) {
        INFO(name);
        CHECK(value.isfinite().all().item<bool>());
      }
    }
  }
}

TEST_CASE("every shipped component gives on a GPU what it gives on the CPU") {
  if (!at::hasCUDA()) {
    std::puts("skipped: there is no GPU");
    return;
  }
  for (const auto& [kind, run] : kinds())
    for (const Shipped& c : all_of(kind)) {
      const auto on_cpu = accepted(c, run);
      if (!on_cpu) continue;  // told by the other test
      INFO(c.id());
      const Tensors on_gpu = run(c, on_cpu->first, at::Device(at::kCUDA, 0));
      CHECK(on_gpu.size() == on_cpu->second.size());
      for (const auto& [name, expected] : on_cpu->second) {
        INFO(name);
        REQUIRE(on_gpu.count(name) == 1);
        CHECK(difference(on_gpu.at(name), expected) < 1e-8);
      }
    }
}

}  // namespace kdhost::test
