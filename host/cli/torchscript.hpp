// SPDX-License-Identifier: MIT
// A model as a TorchScript archive: Python opens it with torch.jit.load, C++ with torch::jit::load, neither needs
// kdhost.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "tensor/model.hpp"

namespace kdhost {

/// The archive's bytes, made by tracing an evaluation forward of `model` with `parts` (on the CPU). `batches` holds
/// values of the model's input ports, in port order, for at least one batch: the first is traced, and with each the
/// archive is opened again and compared with the model. `output` is what the archive returns. Error (plugin) when the
/// two differ: the model does something that a trace cannot hold.
std::string torchscript_of(ModelInstance& model, Parts& parts, const std::vector<std::vector<at::Tensor>>& batches,
                           const std::string& output);

}  // namespace kdhost
