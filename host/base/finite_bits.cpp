// SPDX-License-Identifier: MIT
// A number is not finite when all bits of its exponent are set; see finite_bits.hpp. Compiled with -O3.
#include "base/finite_bits.hpp"

#include "base/for_vectors.hpp"

namespace kdhost {

KDHOST_FOR_VECTORS bool finite_bits(const std::uint32_t* numbers, std::size_t count) {
  constexpr std::uint32_t exponent = 0x7f800000u;
  std::uint32_t found = 0;
  for (std::size_t i = 0; i < count; ++i) found |= (numbers[i] & exponent) == exponent ? 1u : 0u;
  return found == 0;
}

KDHOST_FOR_VECTORS bool finite_bits(const std::uint64_t* numbers, std::size_t count) {
  constexpr std::uint64_t exponent = 0x7ff0000000000000u;
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < count; ++i) found |= (numbers[i] & exponent) == exponent ? 1u : 0u;
  return found == 0;
}

}  // namespace kdhost
