// SPDX-License-Identifier: MIT
// What decides the bits of a run beside the mathematics: precision, matrix route, threads; and the check that no number
// that is not finite reaches the weights.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <string>
#include <vector>

#include "config/experiment.hpp"

namespace kdhost {

/// The dtype in which parameters are kept: bf16 trains float32 master weights under autocast.
at::ScalarType parameter_dtype(Precision precision);

/// Operators run in bfloat16 where LibTorch's autocast says so, while it lives; does nothing for other precisions.
class AutocastGuard {
 public:
  AutocastGuard(Precision precision, at::Device device);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  bool on_ = false;
  bool was_enabled_ = false;
  at::ScalarType was_dtype_ = at::kFloat;
  at::DeviceType type_ = at::kCPU;
};

/// "cpu", "cuda", "cuda:1" or "auto" as a device. Error (usage or experiment, by `place`) when there is no such device.
at::Device find_device(const Text& wanted);

/// True when every number in every tensor is finite. CPU tensors only; reads memory once.
bool all_finite(const std::vector<at::Tensor>& tensors);
/// On any device, without waiting: a float32 scalar, 0 when all are finite, 1 otherwise.
at::Tensor nonfinite_flag(const std::vector<at::Tensor>& tensors);

/// What was decided at start, printed, written to resolved.toml and the manifest.
struct Routes {
  int threads = 1;
  MatrixRoute matrix = MatrixRoute::library;
  std::string text;  ///< one line: what was chosen and why
};

/// Chooses the faster of LibTorch's two float32 matrix routes by a short measurement (a product of the size of a small
/// hidden layer), provided it is float32 in fact: checked against float64. `wanted` pins it. Sets the global switch.
Routes choose_routes(const NumericsSettings& wanted, at::Device device);

}  // namespace kdhost
