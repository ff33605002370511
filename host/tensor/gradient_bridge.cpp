// SPDX-License-Identifier: MIT
// Between the plugins' derivatives and LibTorch's graph: kdh_host.custom_grad makes a plugin's own derivative a node of
// it, backward.hpp runs it. Apart from the rest because it needs LibTorch's heavy autograd headers.
#include "tensor/backward.hpp"

#define KDHOST_COMPAT_AUTOGRAD
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "base/in_charge.hpp"
#include "tensor/compat.hpp"
#include "tensor/handle.hpp"
#include "tensor/host_table.hpp"
#include "tensor/operators.hpp"

namespace kdhost {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// The plugin's half. It owns ctx from the moment custom_grad is entered.
struct Backward {
  Backward(kdh_backward_fn given_function, void* given_ctx, void (*given_free)(void*))
      : function(given_function), ctx(given_ctx), free_ctx(given_free) {}
  Backward(const Backward&) = delete;
  Backward& operator=(const Backward&) = delete;
  ~Backward() {
    if (free_ctx != nullptr) free_ctx(ctx);
  }

  kdh_backward_fn function;
  void* ctx;
  void (*free_ctx)(void*);
};

struct PluginNode final : torch::autograd::Node {
  PluginNode(std::string given_label, std::unique_ptr<Backward> given_backward, std::size_t inputs)
      : label(std::move(given_label)),
        backward(std::move(given_backward)),
        n_inputs(inputs),
        charge(duty_here().charge) {}

  // LibTorch puts it into its own texts, for one into that of a gradient of the wrong shape.
  std::string name() const override { return placed() ? label + " of " + charge->words : label; }
  // Made by a component of an experiment, and not by a test.
  bool placed() const { return charge != nullptr && charge->place.known(); }

  void release_variables() override {
    // Reset, not cleared: a second backward then gets LibTorch's usual text instead of reading past the end.
    for (SavedVariable& variable : saved) variable.reset_data();
  }

  variable_list apply(variable_list&& gradients) override {
    std::vector<at::Tensor> values;
    values.reserve(saved.size());
    for (SavedVariable& variable : saved) values.push_back(variable.unpack(compat::node_itself(*this)));
    for (std::size_t i = 0; i < gradients.size(); ++i)
      if (!gradients[i].defined()) gradients[i] = input_metadata(static_cast<uint32_t>(i)).zeros_like();

    std::vector<kdh_tensor> lent_values;
    std::vector<kdh_tensor> lent_gradients;
    std::vector<kdh_tensor> given(n_inputs, nullptr);
    for (const at::Tensor& value : values) lent_values.push_back(lend(value));
    for (const at::Tensor& gradient : gradients) lent_gradients.push_back(lend(gradient));
    host_error_fresh = false;
    const kdh_status status = [&] {
      std::optional<InCharge> guard;
      if (charge != nullptr) guard.emplace(*charge, "backward");
      return backward->function(&host_table(), backward->ctx, lent_values.data(), lent_values.size(),
                                lent_gradients.data(), lent_gradients.size(), given.data(), given.size());
    }();
    variable_list result;
    result.reserve(given.size());
    for (const kdh_tensor gradient : given) result.push_back(take(gradient));
    if (status != KDH_OK) {
      std::string text(host_error_fresh ? host_error() : std::string_view());
      if (text.empty()) text = "status " + std::to_string(status) + " and no text";
      if (placed())
        throw Error(Exit::plugin, Message{.place = charge->place,
                                          .what = charge->words + ", in backward of '" + label + "': " + text});
      TORCH_CHECK(false, label, ": backward failed: ", text);
    }
    return result;
  }

  std::string label;
  std::unique_ptr<Backward> backward;
  std::size_t n_inputs;
  const Charge* charge;  ///< who made it; outlives the component
  std::vector<SavedVariable> saved;
};

variable_list tensors(const kdh_tensor* handles, uint64_t count) {
  variable_list list;
  list.reserve(count);
  for (uint64_t i = 0; i < count; ++i) list.push_back(tensor(handles[i]));
  return list;
}

}  // namespace

kdh_status custom_grad(const kdh_host*, kdh_str name, const kdh_tensor* in, uint64_t n_in, const kdh_tensor* out,
                       uint64_t n_out, const kdh_tensor* saved, uint64_t n_saved, kdh_backward_fn backward, void* ctx,
                       void (*free_ctx)(void*), kdh_tensor* result) {
  auto owned = std::unique_ptr<Backward>(new (std::nothrow) Backward(backward, ctx, free_ctx));
  if (owned == nullptr) {
    if (free_ctx != nullptr) free_ctx(ctx);
    return set_host_error(KDH_E_OUT_OF_MEMORY, "out of memory");
  }
  return guarded([&] {
    if (backward == nullptr) throw HostRefusal{KDH_E_INVALID_ARGUMENT, "custom_grad: no backward function was given"};
    const variable_list inputs = tensors(in, n_in);
    const variable_list outputs = tensors(out, n_out);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (!outputs[i].defined())
        throw HostRefusal{KDH_E_INVALID_ARGUMENT, "custom_grad: output " + std::to_string(i) + " is no tensor"};

    compat::NodePointer<PluginNode> node;
    if (at::GradMode::is_enabled() && torch::autograd::compute_requires_grad(inputs)) {
      node = compat::make_node<PluginNode>(name.size > 0 ? std::string(view(name)) : "custom_grad", std::move(owned),
                                           inputs.size());
      node->set_next_edges(torch::autograd::collect_next_edges(inputs));
      for (const at::Tensor& value : tensors(saved, n_saved)) node->saved.emplace_back(value, /*is_output=*/false);
    }
    variable_list results;
    results.reserve(outputs.size());
    for (const at::Tensor& output : outputs) {
      results.push_back(output.detach());
      if (node) torch::autograd::set_history(results.back(), node);
    }
    for (std::size_t i = 0; i < results.size(); ++i) result[i] = give(std::move(results[i]));  // cannot fail half-way
  });
}

void add_gradients(const std::vector<at::Tensor>& roots, const std::vector<at::Tensor>& weights) {
  torch::autograd::backward(roots, weights);
}

std::vector<at::Tensor> gradients_of(const at::Tensor& value, const std::vector<at::Tensor>& inputs) {
  return torch::autograd::grad({value}, inputs, {}, /*retain_graph=*/true, /*create_graph=*/false,
                               /*allow_unused=*/true);
}

}  // namespace kdhost
