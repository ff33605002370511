// SPDX-License-Identifier: MIT
#include "cli/engine_loss_inputs.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"
#include "tensor/aten.hpp"

namespace kdhost {

LossInputs::LossInputs(const ComponentInfo& info, const SafetensorsFile& file, at::Device device)
    : info_(info), file_(file), device_(device) {
  for (const PortInfo& port : info.inputs) {
    // A port for one tensor takes several where the file numbers them, as it does in [[loss]].
    if (port.is_list || (file.find(port.name) == nullptr && file.find(port.name + ".0") != nullptr))
      take_numbered(port);
    else
      take_one(port);
  }
  if (!problems_.empty()) throw Error(Exit::data, std::move(problems_));
}

std::vector<PortShape> LossInputs::shapes() const {
  std::vector<PortShape> shapes;
  for (const Port& port : ports_)
    for (const BoundTensor& bound : port.tensors)
      shapes.push_back(
          {port.is_list ? bound.name : port.info->name, bound.value.sizes().vec(), bound.value.scalar_type()});
  return shapes;
}

at::ScalarType LossInputs::floating() const {
  for (const bool only_student : {true, false})
    for (const Port& port : ports_)
      for (const BoundTensor& bound : port.tensors)
        if (bound.value.is_floating_point() && (bound.learns || !only_student)) return bound.value.scalar_type();
  return at::kFloat;
}

int64_t LossInputs::classes() const {
  for (const Port& port : ports_)
    if (port.info->name == "student.logits" && port.tensors.front().value.dim() >= 2)
      return port.tensors.front().value.size(1);
  return 0;
}

void LossInputs::bind(LossInstance& loss) const {
  for (const Port& port : ports_) {
    Inputs& inputs = loss.inputs();
    if (!port.is_list) {
      inputs.set(inputs.add(port.info->name), port.tensors.front().value);
      continue;
    }
    const std::size_t slot = inputs.add_list(port.info->name, port.tensors.size());
    for (std::size_t i = 0; i < port.tensors.size(); ++i) inputs.set(slot, i, port.tensors[i].value);
  }
}

std::vector<BoundTensor> LossInputs::learning() const {
  std::vector<BoundTensor> learning;
  for (const Port& port : ports_)
    for (const BoundTensor& bound : port.tensors)
      if (bound.learns) learning.push_back(bound);
  return learning;
}

BoundTensor LossInputs::take(const PortInfo& port, const StoredTensor& stored) const {
  BoundTensor bound{stored.name, file_.tensor(stored).clone().to(device_), false};
  bound.learns = port.side() == "student" && bound.value.is_floating_point();
  if (bound.learns) bound.value.requires_grad_(true);
  return bound;
}

void LossInputs::take_one(const PortInfo& port) {
  if (const StoredTensor* stored = file_.find(port.name))
    ports_.push_back({&port, false, {take(port, *stored)}});
  else if (!port.optional)
    missing(port.name);
}

void LossInputs::take_numbered(const PortInfo& port) {
  Port bound{&port, true, {}};
  while (const StoredTensor* stored = file_.find(port.name + "." + std::to_string(bound.tensors.size())))
    bound.tensors.push_back(take(port, *stored));
  // A number after a gap would be left out without a word.
  const std::string prefix = port.name + ".";
  const auto is_numbered = [&](const StoredTensor& stored) {
    return stored.name.size() > prefix.size() && stored.name.compare(0, prefix.size(), prefix) == 0 &&
           stored.name.find_first_not_of("0123456789", prefix.size()) == std::string::npos;
  };
  const auto numbered =
      static_cast<std::size_t>(std::count_if(file_.tensors().begin(), file_.tensors().end(), is_numbered));
  if (numbered > bound.tensors.size() || (bound.tensors.empty() && !port.optional))
    missing(prefix + std::to_string(bound.tensors.size()));
  else if (!bound.tensors.empty()) {
    bound.is_list = port.is_list || bound.tensors.size() > 1;
    ports_.push_back(std::move(bound));
  }
}

void LossInputs::missing(const std::string& name) {
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

}  // namespace kdhost
