// SPDX-License-Identifier: MIT
// Whether floating-point numbers are all finite, by their bits, at the speed of memory: every gradient is looked at in
// every step. Lowest layer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kdhost {

/// No infinity and no NaN among `count` float32 numbers, given as their bits.
bool finite_bits(const std::uint32_t* numbers, std::size_t count);

/// The same for float64.
bool finite_bits(const std::uint64_t* numbers, std::size_t count);

}  // namespace kdhost
