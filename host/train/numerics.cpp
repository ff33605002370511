// SPDX-License-Identifier: MIT
#include "train/numerics.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/cuda.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>

#include "base/finite_bits.hpp"
#include "tensor/aten.hpp"

namespace kdhost {

at::ScalarType parameter_dtype(Precision precision) { return precision == Precision::fp64 ? at::kDouble : at::kFloat; }

AutocastGuard::AutocastGuard(Precision precision, at::Device device) : type_(device.type()) {
  if (precision != Precision::bf16) return;
  on_ = true;
  was_enabled_ = at::autocast::is_autocast_enabled(type_);
  was_dtype_ = at::autocast::get_autocast_dtype(type_);
  at::autocast::set_autocast_dtype(type_, at::kBFloat16);
  at::autocast::set_autocast_enabled(type_, true);
  at::autocast::increment_nesting();
}

AutocastGuard::~AutocastGuard() {
  if (!on_) return;
  // The cache holds bfloat16 copies of weights, which the optimizer is about to change.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(type_, was_enabled_);
  at::autocast::set_autocast_dtype(type_, was_dtype_);
}

at::Device find_device(const Text& wanted) {
  const bool cuda = torch::cuda::is_available();
  if (wanted.value == "auto") return cuda ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  if (wanted.value == "cpu") return at::kCPU;
  int index = 0;
  const bool named = wanted.value == "cuda" || std::sscanf(wanted.value.c_str(), "cuda:%d", &index) == 1;
  const auto count = cuda ? static_cast<int>(torch::cuda::device_count()) : 0;
  if (!named || index < 0 || index >= count)
    throw Error(
        Exit::experiment,
        Message{wanted.place, "numerics.device", "there is no device " + kdhost::quoted(wanted.value) + ".",
                "This machine and this LibTorch offer: auto, cpu" +
                    (count > 0 ? ", cuda:0 ... cuda:" + std::to_string(count - 1) : std::string()) + ".",
                count > 0 ? "" : "For a GPU, build kdhost against a LibTorch with CUDA on a machine that has one."});
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

bool all_finite(const std::vector<at::Tensor>& tensors) {
  for (const at::Tensor& t : tensors) {
    if (!t.defined()) continue;
    if (t.is_non_overlapping_and_dense() && t.scalar_type() == at::kFloat) {
      if (!finite_bits(static_cast<const uint32_t*>(t.const_data_ptr()), static_cast<std::size_t>(t.numel())))
        return false;
    } else if (t.is_non_overlapping_and_dense() && t.scalar_type() == at::kDouble) {
      if (!finite_bits(static_cast<const uint64_t*>(t.const_data_ptr()), static_cast<std::size_t>(t.numel())))
        return false;
    } else if (!at::isfinite(t).all().item<bool>()) {
      return false;
    }
  }
  return true;
}

at::Tensor nonfinite_flag(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> present;
  for (const auto& t : tensors)
    if (t.defined()) present.push_back(t);
  const at::TensorOptions options = present.empty() ? at::TensorOptions() : present.front().options();
  at::Tensor found = at::zeros({}, options.dtype(at::kFloat));
  const at::Tensor one = at::ones({}, options.dtype(at::kFloat));
  if (!present.empty()) at::_amp_foreach_non_finite_check_and_unscale_(present, found, one);
  return found;
}

Routes choose_routes(const NumericsSettings& wanted, at::Device device) {
  Routes routes;
  if (wanted.threads.value > 0) at::set_num_threads(static_cast<int>(wanted.threads.value));
  routes.threads = at::get_num_threads();
  auto& context = at::globalContext();
  const auto use = [&](MatrixRoute r) {
    context.setFloat32MatmulPrecision(r == MatrixRoute::onednn ? "medium" : "highest");
    routes.matrix = r;
  };
  if (!device.is_cpu() || wanted.matrix_route.value != MatrixRoute::automatic) {
    use(device.is_cpu() ? wanted.matrix_route.value : MatrixRoute::library);
    routes.text = "matrix products: " + name_of(routes.matrix);
    return routes;
  }
  const at::NoGradGuard no_grad;
  at::Generator generator = at::detail::createCPUGenerator(1);
  const at::Tensor a = at::randn({64, 1024}, generator), b = at::randn({1024, 1024}, generator);
  const at::Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
  double seconds[2] = {}, error[2] = {};
  for (int r = 0; r < 2; ++r) {
    use(r == 0 ? MatrixRoute::library : MatrixRoute::onednn);
    error[r] = (at::mm(a, b).to(at::kDouble) - exact).abs().max().item<double>() / exact.abs().max().item<double>();
    seconds[r] = std::numeric_limits<double>::infinity();
    for (int repeat = 0; repeat < 7; ++repeat) {  // the best of a few: other work only ever adds time
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < 3; ++i) at::mm(a, b);
      seconds[r] =
          std::min(seconds[r], std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / 3);
    }
  }
  const bool float32 = error[1] < 1e-5;  // bfloat16 products are off by 1e-3
  use(float32 && seconds[1] < 0.95 * seconds[0] ? MatrixRoute::onednn : MatrixRoute::library);
  char text[200];
  const double flops = 2.0 * 64 * 1024 * 1024;
  std::snprintf(text, sizeof text, "matrix products: %s (%.0f GFLOP/s; the other route %.0f%s)",
                name_of(routes.matrix).c_str(), flops / seconds[routes.matrix == MatrixRoute::onednn ? 1 : 0] * 1e-9,
                flops / seconds[routes.matrix == MatrixRoute::onednn ? 0 : 1] * 1e-9,
                float32 ? "" : ", not float32 on this processor");
  routes.text = text;
  return routes;
}

}  // namespace kdhost
