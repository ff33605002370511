// SPDX-License-Identifier: MIT
// A number is not finite when all bits of its exponent are set; see finite_bits.hpp. Compiled with -O3, once for any
// x86-64 and once for AVX2, which is chosen when the program starts.
#include "base/finite_bits.hpp"

// Sanitizers are not ready yet when the choice is made.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define KDHOST_FOR_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define KDHOST_FOR_VECTORS
#endif

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
