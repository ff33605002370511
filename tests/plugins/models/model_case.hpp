// SPDX-License-Identifier: MIT
// For the tests of shipped models: an instance with parts of its own, run with all taps through the plugin boundary.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../shipped_component.hpp"
#include "tensor/model.hpp"

namespace kdhost::test {

class ModelCase {
 public:
  /// `inputs`: first batch.input, then, where there is a second, the field `second`. Parts have the input's type, or
  /// float32 where that holds numbers of words.
  ModelCase(const std::string& library, const std::string& id, const Settings& settings,
            const std::vector<at::Tensor>& inputs, int64_t classes = 10, const char* second = "batch.residual")
      : inputs_(inputs) {
    const kdh_component& component = shipped(library, id);
    Creation creation;
    creation.params = arguments(component, settings);
    creation.facts.add("classes", classes);
    const char* const ports[] = {"batch.input", second};
    for (std::size_t i = 0; i < inputs.size(); ++i)
      creation.shapes.push_back({ports[i], inputs[i].sizes().vec(), inputs[i].scalar_type()});
    model_ = std::make_unique<ModelInstance>(origin(component, library, "student"), std::move(creation));
    for (std::size_t i = 0; i < inputs.size(); ++i) model_->inputs().add(ports[i]);
    const at::ScalarType type = inputs[0].is_floating_point() ? inputs[0].scalar_type() : at::kFloat;
    parts_ = Parts(model_->part_list(), "student", 1, type);
    if (inputs[0].dim() == 4 && inputs[0].is_contiguous(at::MemoryFormat::ChannelsLast))
      parts_.to(at::kCPU, std::nullopt, /*channels_last=*/true);
    parts_.require_grad(true);
  }

  Outputs& forward(uint32_t flags, const Wants& wants = Wants()) {
    for (std::size_t i = 0; i < inputs_.size(); ++i) model_->inputs().set(i, inputs_[i]);
    CallSettings settings;
    settings.flags = flags;
    out_.clear();
    model_->forward(parts_, settings, wants, out_);
    return out_;
  }
  Parts& parts() { return parts_; }
  at::Tensor part(const std::string& name) { return parts_[parts_.find(name).value()]; }
  ModelInstance& instance() { return *model_; }

 private:
  std::vector<at::Tensor> inputs_;
  std::unique_ptr<ModelInstance> model_;
  Parts parts_;
  Outputs out_;
};

inline at::Tensor channels_last(const at::Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

}  // namespace kdhost::test
