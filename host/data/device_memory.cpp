// SPDX-License-Identifier: MIT
// Free memory of a GPU, asked through LibTorch's allocator so that no CUDA header is needed; see device_memory.hpp.
#include "data/device_memory.hpp"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>

namespace kdhost {

bool fits_on_device(uint64_t bytes, at::Device device) {
  if (!device.is_cuda()) return false;
  at::globalContext().lazyInitDevice(device.type());
  const c10::DeviceIndex index = device.has_index() ? device.index() : c10::DeviceIndex{0};
  return bytes <= at::getDeviceAllocator(device.type())->getMemoryInfo(index).first / 4;
}

}  // namespace kdhost
