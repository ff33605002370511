// SPDX-License-Identifier: MIT
// Level 8 of the validator: the same numbers on a GPU, on the device and stream that the host chose. Skipped where
// there is none.
#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "base/text.hpp"
#include "check/caller.hpp"
#include "check/suite.hpp"
#include "tensor/aten.hpp"
#include "tensor/backward.hpp"

namespace kdhost::check {
namespace {

const at::Device kGpu(at::kCUDA, 0);

void move_to(Caller& caller, at::Device device) {
  caller.inputs = changed(caller.inputs, [&](const PortTensors&, const at::Tensor& t) {
    return t.detach().to(device).requires_grad_(t.requires_grad());
  });
  caller.parts.to(device);
  caller.settings.device = device;
}

Finding test_same_on_gpu(Subject& subject, const ComponentInfo* info) {
  if (!at::hasCUDA()) return skipped("this machine has no CUDA device.");
  const std::unique_ptr<Caller> here = make_caller(subject, *info);
  const std::unique_ptr<Caller> there = make_caller(subject, *info);
  move_to(*there, kGpu);
  const c10::impl::VirtualGuardImpl guard(at::kCUDA);
  const at::Device device_before = guard.getDevice();
  const c10::Stream stream_before = guard.getStream(kGpu);
  auto* const memory = at::getDeviceAllocator(at::kCUDA);
  memory->resetPeakStats(kGpu.index());
  const std::vector<NamedTensor> cpu = here->call();
  const std::vector<NamedTensor> gpu = there->call();
  if (guard.getDevice() != device_before || guard.getStream(kGpu) != stream_before) {
    return failed("leaves another device or stream current than it found.",
                  "Use the device and stream of the inputs, and set neither.");
  }
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    const double off = difference(cpu[i].value, gpu.at(i).value.to(at::kCPU));
    if (off <= 2e-3) continue;
    return failed(
        "differs by " + shortest(off) + " in '" + cpu[i].name + "' between the CPU and the GPU.",
        "Make new tensors on the device of an input (tensor_new with `like`), and read raw memory on the CPU only.");
  }
  const std::int64_t peak = memory->getDeviceStats(kGpu.index()).allocated_bytes[0].peak;
  const std::string note =
      "needs at most " + std::to_string((peak + 1023) / 1024) + " KiB on the GPU for small inputs.";
  if (info->kind != KDH_KIND_LOSS || !gpu.front().value.requires_grad()) return passed(note);
  const std::vector<at::Tensor> expected = gradients_of(cpu.front().value, side_of(here->inputs, "student"));
  const std::vector<at::Tensor> found = gradients_of(gpu.front().value, side_of(there->inputs, "student"));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!expected[i].defined() || difference(expected[i], found[i].to(at::kCPU)) <= 2e-3) continue;
    return failed("has another gradient on the GPU than on the CPU.",
                  "Write backward for any device, or refuse a GPU.");
  }
  return passed(note);
}

}  // namespace

void add_device_tests(std::vector<Test>& tests) {
  tests.push_back({.level = 8,
                   .name = "device.same",
                   .kinds = {KDH_KIND_LOSS, KDH_KIND_MODEL, KDH_KIND_TRANSFORM},
                   .needs = {"call.works"},
                   .run = test_same_on_gpu,
                   .patience = 3.0});
}

}  // namespace kdhost::check
