// SPDX-License-Identifier: MIT
// Found before LibTorch's header of this name, in our own files only. Every <ATen/ops/NAME.h> includes that header and
// uses nothing of it, while its overload for lists of tensors brings IValue: half of the time that a file with
// operators takes.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include <optional>

namespace at {

inline std::optional<Device> device_of(const Tensor& t) {
  return t.defined() ? std::optional<Device>(t.device()) : std::nullopt;
}

inline std::optional<Device> device_of(const std::optional<Tensor>& t) { return t ? device_of(*t) : std::nullopt; }

}  // namespace at
