// SPDX-License-Identifier: MIT
//
// kdhost/exact_module.hpp: a torch::nn module as a model, or as a part of a loss. The module's parameters and buffers
// are declared to the host, which draws, trains, moves, saves and exports them like those of any other component. Tier
// exact only; kept apart from exact.hpp because torch/nn takes seconds to compile.
#pragma once
#include <kdhost/exact.hpp>

#include <torch/csrc/autograd/variable.h>
#include <torch/nn/module.h>

#include <string>
#include <utility>
#include <vector>

namespace kdhost {
inline namespace v1 {

/// Ties a torch::nn module to the parts of a component:
///   MyModel(const Params& p, const Ports&, Builder& b) : net_(make_net(p)), parts_(b, *net_) {}
///   void forward(const Call& c, Outputs& out) override {
///     parts_.bind(c);
///     out.set("logits", wrap(net_->forward(unwrap(c["batch.input"]))));
///   }
/// The names are those of the module's state dict. Linear and convolution layers are drawn by the host with PyTorch's
/// default distribution, so that each seed of a run starts elsewhere; all other tensors start from the values that the
/// module has now.
class ModuleParts {
 public:
  ModuleParts(const Builder& b, torch::nn::Module& module) : module_(&module) { declare(b, module, {}); }

  /// Makes the module compute with the parts of this call, in the call's mode: the tensors share memory with the parts
  /// and gradients flow into them. One module may serve several sets of parts, one call after the other.
  void bind(const Call& c) const {
    if (module_->is_training() != c.training()) module_->train(c.training());
    for (const auto& [own, slot] : tensors_) attach(own, unwrap(c.part(slot)));
  }

 private:
  void declare(const Builder& b, torch::nn::Module& m, const std::string& prefix) {
    // name() is the C++ class: "torch::nn::LinearImpl", "torch::nn::Conv2dImpl".
    const std::string kind = m.name();
    const bool usual = kind == "torch::nn::LinearImpl" ||
                       (kind.rfind("torch::nn::Conv", 0) == 0 && kind.find("Transpose") == std::string::npos);
    double fan_in = 0;
    if (usual) {
      const at::Tensor weight = m.named_parameters(false)["weight"];
      fan_in = static_cast<double>(weight.numel() / weight.size(0));
    }
    for (const auto& item : m.named_parameters(false)) {
      const at::Tensor& own = item.value();
      const Init init = usual ? nn::detail::usual(fan_in) : Init::from(wrap(own.detach()));
      tensors_.emplace_back(own, b.parameter(prefix + item.key(), own.sizes().vec(), init, own.dim() > 1));
    }
    for (const auto& item : m.named_buffers(false)) {
      const at::Tensor& own = item.value();
      const std::string name = prefix + item.key();
      const Init init = Init::from(wrap(own));
      // Counters keep their dtype; statistics follow the precision of the run.
      tensors_.emplace_back(own, own.is_floating_point()
                                     ? b.buffer(name, own.sizes().vec(), init)
                                     : b.buffer(name, own.sizes().vec(), init, static_cast<Dtype>(own.scalar_type())));
    }
    for (const auto& child : m.named_children()) declare(b, *child.value(), prefix + child.key() + ".");
  }

  /// `own` takes the part's memory, and the part's place in the graph: what flows back to `own` arrives at the part.
  static void attach(const at::Tensor& own, const at::Tensor& part) {
    if (!own.is_set_to(part) || own.scalar_type() != part.scalar_type()) own.set_data(part.detach());
    const bool wanted = part.requires_grad();
    torch::autograd::impl::set_gradient_edge(
        own, wanted ? torch::autograd::impl::gradient_edge(part) : torch::autograd::Edge());
    if (!wanted && own.requires_grad()) own.set_requires_grad(false);
  }

  torch::nn::Module* module_;
  std::vector<std::pair<at::Tensor, Slot>> tensors_;
};

}  // namespace v1
}  // namespace kdhost
