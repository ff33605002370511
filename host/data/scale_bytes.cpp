// SPDX-License-Identifier: MIT
// Bytes times a scale; see scale_bytes.hpp. Compiled with -O3, once for any x86-64 and once for AVX2, which is chosen
// when the program starts and halves the time.
#include "data/scale_bytes.hpp"

// Sanitizers are not ready yet when the choice is made.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define KDHOST_FOR_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define KDHOST_FOR_VECTORS
#endif

namespace kdhost {

KDHOST_FOR_VECTORS void scale_bytes(const uint8_t* __restrict from, std::size_t count, double scale,
                                    float* __restrict to) {
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<float>(static_cast<double>(from[i]) * scale);
}

KDHOST_FOR_VECTORS void scale_bytes(const uint8_t* __restrict from, std::size_t count, double scale,
                                    double* __restrict to) {
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<double>(from[i]) * scale;
}

}  // namespace kdhost
