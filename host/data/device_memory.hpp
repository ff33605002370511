// SPDX-License-Identifier: MIT
// How much of a GPU's memory data may take: what loader and output store ask before they keep something there.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace kdhost {

/// True where `device` is a GPU and a quarter of the memory free on it now holds `bytes`. The rest belongs to models,
/// activations and the optimizer.
bool fits_on_device(uint64_t bytes, at::Device device);

}  // namespace kdhost
