// SPDX-License-Identifier: MIT
// kdhost loss ID: one loss on the tensors of a file: its value and the gradient of the student's side. How a user
// compares a loss with code of their own. Tensors are named by port: student.logits, batch.label, student.features.0 …;
// `state.NAME` fills the part NAME that the loss declares. What the loss does not declare is not looked at.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"
#include "cli/engine.hpp"
#include "cli/front.hpp"
#include "plugin/parameters.hpp"
#include "tensor/loss.hpp"
#include "tensor/safetensors.hpp"
#include "train/numerics.hpp"

namespace kdhost {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kStatePrefix = "state.";

/// One tensor of the file that a port takes.
struct Bound {
  std::string name;  ///< as in the file
  at::Tensor value;
  bool learns = false;  ///< of the student's side: gets a gradient
};

/// A port with its tensors; one, or as many as a list holds.
struct BoundPort {
  const PortInfo* port = nullptr;
  std::vector<Bound> tensors;
};

class LossInputs {
 public:
  LossInputs(const ComponentInfo& info, const SafetensorsFile& file, at::Device device)
      : info_(info), file_(file), device_(device) {
    for (const PortInfo& port : info.inputs) port.is_list ? take_list(port) : take_one(port);
    if (!problems_.empty()) throw Error(Exit::data, std::move(problems_));
  }

  std::deque<BoundPort>& ports() { return ports_; }

  std::vector<PortShape> shapes() const {
    std::vector<PortShape> shapes;
    for (const BoundPort& port : ports_)
      for (const Bound& bound : port.tensors)
        shapes.push_back({bound.name, bound.value.sizes().vec(), bound.value.scalar_type()});
    return shapes;
  }

  /// The dtype of the student's side, in which the loss's own parts are kept too.
  at::ScalarType floating() const {
    for (const bool only_student : {true, false})
      for (const BoundPort& port : ports_)
        for (const Bound& bound : port.tensors)
          if (bound.value.is_floating_point() && (bound.learns || !only_student)) return bound.value.scalar_type();
    return at::kFloat;
  }

  void bind(LossInstance& loss) const {
    for (const BoundPort& port : ports_) {
      Inputs& inputs = loss.inputs();
      if (!port.port->is_list) {
        inputs.set(inputs.add(port.port->name), port.tensors.front().value);
        continue;
      }
      const std::size_t slot = inputs.add_list(port.port->name, port.tensors.size());
      for (std::size_t i = 0; i < port.tensors.size(); ++i) inputs.set(slot, i, port.tensors[i].value);
    }
  }

 private:
  Bound take(const PortInfo& port, const StoredTensor& stored) const {
    Bound bound{stored.name, file_.tensor(stored).clone().to(device_), false};
    bound.learns = port.side() == "student" && bound.value.is_floating_point();
    if (bound.learns) bound.value.requires_grad_(true);
    return bound;
  }

  void take_one(const PortInfo& port) {
    if (const StoredTensor* stored = file_.find(port.name))
      ports_.push_back({&port, {take(port, *stored)}});
    else if (!port.optional)
      missing(port.name);
  }

  void take_list(const PortInfo& port) {
    BoundPort bound{&port, {}};
    while (const StoredTensor* stored = file_.find(port.name + "." + std::to_string(bound.tensors.size())))
      bound.tensors.push_back(take(port, *stored));
    // A number after a gap would be left out without a word.
    std::size_t numbered = 0;
    const std::string prefix = port.name + ".";
    for (const StoredTensor& stored : file_.tensors())
      numbered += stored.name.compare(0, prefix.size(), prefix) == 0 ? 1 : 0;
    if (numbered > bound.tensors.size() || (bound.tensors.empty() && !port.optional))
      missing(prefix + std::to_string(bound.tensors.size()));
    else if (!bound.tensors.empty())
      ports_.push_back(std::move(bound));
  }

  void missing(const std::string& name) {
    std::vector<std::string> names;
    for (const StoredTensor& stored : file_.tensors()) names.push_back(stored.name);
    std::sort(names.begin(), names.end());
    Message message;
    message.where = printable(file_.path().string(), 4096);
    message.what = "has no tensor " + quoted(name) + ", which " + info_.id + " needs.";
    message.expected =
        names.empty() ? "The file holds no tensors." : "The file holds: " + printable(join(names), 1000) + ".";
    message.mend = did_you_mean(name, names);
    problems_.push_back(std::move(message));
  }

  const ComponentInfo& info_;
  const SafetensorsFile& file_;
  at::Device device_;
  std::deque<BoundPort> ports_;
  std::vector<Message> problems_;
};

// Classes and sample number as far as the tensors tell: state that holds rows, a memory bank, has one a sample.
Arguments facts_of(LossInputs& inputs, const SafetensorsFile& file) {
  Arguments facts;
  int64_t samples = 0;
  for (const StoredTensor& stored : file.tensors())
    if (stored.name.compare(0, kStatePrefix.size(), kStatePrefix) == 0 && stored.sizes.size() == 2)
      samples = std::max(samples, stored.sizes.front());
  if (samples > 0) facts.add("samples", samples);
  for (const BoundPort& port : inputs.ports()) {
    if (port.port->name != "student.logits") continue;
    const at::Tensor& logits = port.tensors.front().value;
    if (logits.dim() >= 2) facts.add("classes", logits.size(1));
  }
  return facts;
}

void fill_state(Parts& parts, const SafetensorsFile& file) {
  for (const StoredTensor& stored : file.tensors()) {
    if (stored.name.compare(0, kStatePrefix.size(), kStatePrefix) != 0) continue;
    const auto slot = parts.find(stored.name.substr(kStatePrefix.size()));
    if (slot) parts.copy_from(*slot, file.tensor(stored), file.path().string());
  }
}

// The gradient of each student's tensor; zeros where the value does not depend on it.
std::vector<NamedTensor> gradients_of(const at::Tensor& value, LossInputs& inputs) {
  if (value.requires_grad()) value.backward();
  std::vector<NamedTensor> gradients;
  for (const BoundPort& port : inputs.ports()) {
    for (const Bound& bound : port.tensors) {
      if (!bound.learns) continue;
      const at::Tensor gradient = bound.value.grad();
      if (!gradient.defined())
        log::warn("the value does not depend on " + printable(bound.name) + ": its gradient is zero");
      gradients.push_back({bound.name, gradient.defined() ? gradient : at::zeros_like(bound.value)});
    }
  }
  return gradients;
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

}  // namespace

void evaluate_loss(const Options& options) {
  if (options.threads) at::set_num_threads(*options.threads);
  const at::Device device = find_device(Text(options.device.value_or("cpu"), Place{"--device"}));
  const std::string& id = options.arguments.front();
  Registry registry(engine_abi(), plugin_places(options));
  for (const Error& problem : registry.problems()) throw problem;
  Place place;
  place.file = "kdhost loss";
  const Offer& offer = registry.load(id, KDH_KIND_LOSS, place);
  const Parameters parameters = resolve_parameters(offer.info, loss_parameters(options), place);
  const SafetensorsFile file(options.inputs);
  LossInputs inputs(offer.info, file, device);

  Origin origin;
  origin.component = offer.component;
  origin.tier = offer.file->library->description().tier;
  origin.plugin_file = offer.file->path.string();
  origin.place = place;
  origin.name = "loss";
  LossInstance loss(std::move(origin), {Arguments(std::span(parameters.data(), parameters.size())), inputs.shapes(),
                                        facts_of(inputs, file)});
  inputs.bind(loss);
  Parts parts(loss.part_list(), "loss", /*seed=*/0, inputs.floating());
  fill_state(parts, file);
  parts.to(device);
  parts.require_grad(true);

  CallSettings settings;
  settings.flags = KDH_CALL_TRAINING;
  settings.device = device;
  const at::Tensor value = loss.compute(parts, settings);
  const std::vector<NamedTensor> gradients = gradients_of(value, inputs);
  if (options.grads) write_safetensors(*options.grads, gradients, {{"format", "pt"}}, /*with_digest=*/false);

  const double result = value.item<double>();
  if (!options.json) {
    std::cout << digits17(result) << "\n";
    for (const auto& term : loss.terms())
      std::cout << printable(term.name) << " " << digits17(term.value.item<double>()) << "\n";
    return;
  }
  Json answer = {{"loss", id}, {"value", number(result)}, {"dtype", dtype_name(value.scalar_type())}};
  answer["terms"] = Json::object();
  for (const auto& term : loss.terms()) answer["terms"][term.name] = number(term.value.item<double>());
  answer["gradients"] = Json::object();
  for (const NamedTensor& gradient : gradients) {
    const double norm = gradient.value.to(at::kDouble).norm().item<double>();
    answer["gradients"][gradient.name] = {{"shape", gradient.value.sizes().vec()}, {"norm", number(norm)}};
  }
  if (options.grads) answer["gradients_file"] = *options.grads;
  std::cout << answer.dump(2) << "\n";
}

}  // namespace kdhost
