// SPDX-License-Identifier: MIT
// Traces a model, see torchscript.hpp. The archive's modules follow the dotted names of the parts
// ("layer1.0.conv1.weight"), so that its state_dict is the student's.
#include "cli/torchscript.hpp"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "tensor/aten.hpp"

namespace kdhost {
namespace {

/// The parts below one dotted prefix.
struct Branch {
  std::string name;
  std::vector<std::pair<std::string, std::size_t>> parts;  ///< name, slot
  std::vector<Branch> children;

  void add(const std::string& part, std::size_t slot) {
    const std::size_t dot = part.find('.');
    if (dot == std::string::npos) {
      parts.emplace_back(part, slot);
      return;
    }
    const std::string head = part.substr(0, dot);
    auto child = std::find_if(children.begin(), children.end(), [&head](const Branch& c) { return c.name == head; });
    if (child == children.end()) child = children.insert(child, Branch{head, {}, {}});
    child->add(part.substr(dot + 1), slot);
  }
};

// Registers the very tensors of `parts`: the tracer knows parameters by their identity.
torch::jit::Module module_of(const Branch& branch, const Parts& parts, const std::string& type,
                             const std::shared_ptr<torch::jit::CompilationUnit>& unit) {
  torch::jit::Module module(c10::QualifiedName("__torch__." + type), unit);
  for (const auto& [name, slot] : branch.parts) {
    const bool buffer = parts.spec(slot).role == PartRole::buffer;
    if (buffer)
      module.register_buffer(name, parts[slot]);
    else
      module.register_parameter(name, parts[slot], false);
  }
  for (const Branch& child : branch.children)
    module.register_module(child.name, module_of(child, parts, type + "_" + child.name, unit));
  module.register_attribute("training", c10::BoolType::get(), false);
  return module;
}

at::Tensor forward(ModelInstance& model, Parts& parts, const std::vector<at::Tensor>& inputs,
                   const std::string& output) {
  for (std::size_t slot = 0; slot < inputs.size(); ++slot) model.inputs().set(slot, inputs[slot]);
  Outputs out;
  model.forward(parts, CallSettings(), Wants({output}), out);
  return out[output];
}

[[noreturn]] void refuse(const ModelInstance& model, std::string what) {
  Message message;
  message.where = "model " + std::string(model.id()) + " (" + printable(model.origin().plugin_file, 4096) + ")";
  message.what = std::move(what);
  message.expected = "Expected a forward whose operators do not depend on the values or the number of samples.";
  message.mend = "In the model, take sizes with -1 (x.reshape({-1, 64}), x.flatten(1)); or export as safetensors.";
  throw Error(Exit::plugin, std::move(message));
}

void compare(ModelInstance& model, Parts& parts, torch::jit::Module& archive, const std::vector<at::Tensor>& inputs,
             const std::string& output) {
  const at::Tensor expected = forward(model, parts, inputs, output);
  const std::string samples = std::to_string(inputs.empty() ? 0 : inputs.front().size(0)) + " samples";
  at::Tensor found;
  try {
    found = archive.forward({inputs.begin(), inputs.end()}).toTensor();
  } catch (const std::exception&) {
    refuse(model, "its TorchScript fails on a batch of " + samples + ".");
  }
  if (found.sizes() != expected.sizes()) {
    refuse(model, "its TorchScript gives shape " + shape_text(found.sizes()) + " for a batch of " + samples +
                      ", the model " + shape_text(expected.sizes()) + ".");
  }
  if (expected.numel() == 0) return;
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  const double difference = (found - expected).abs().max().item<double>();
  // Also refuses NaN.
  if (!(difference <= 1e-5 * scale))
    refuse(model,
           "its TorchScript differs by " + shortest(difference) + " from the model on a batch of " + samples + ".");
}

}  // namespace

std::string torchscript_of(ModelInstance& model, Parts& parts, const std::vector<std::vector<at::Tensor>>& batches,
                           const std::string& output) {
  const at::NoGradGuard no_grad;
  Branch root;
  for (std::size_t slot = 0; slot < parts.size(); ++slot) root.add(parts.spec(slot).name, slot);
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module module = module_of(root, parts, "kdhost_student", unit);

  torch::jit::Stack inputs(batches.front().begin(), batches.front().end());
  std::vector<std::string> names;
  for (std::size_t slot = 0; slot < model.inputs().size(); ++slot) {
    const std::string port(model.inputs().port(slot));
    names.push_back(port.substr(port.rfind('.') + 1));
  }
  const auto traced = [&](const torch::jit::Stack& values) {
    std::vector<at::Tensor> tensors;
    for (const c10::IValue& value : values) tensors.push_back(value.toTensor());
    return torch::jit::Stack{forward(model, parts, tensors, output)};
  };
  const auto state = torch::jit::tracer::trace(
                         std::move(inputs), traced, [](const at::Tensor&) { return std::string(); },
                         /*strict=*/true, /*force_outplace=*/false, &module, names)
                         .first;
  const c10::QualifiedName method(*module.type()->name(), "forward");
  module.type()->addMethod(unit->create_function(method, state->graph));

  std::ostringstream bytes;
  module.save(bytes);
  std::istringstream stored(bytes.str());
  torch::jit::Module archive = torch::jit::load(stored);
  archive.eval();
  for (const auto& batch : batches) compare(model, parts, archive, batch, output);
  return bytes.str();
}

}  // namespace kdhost
