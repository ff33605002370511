// SPDX-License-Identifier: MIT
// Bytes times a scale; see scale_bytes.hpp. Compiled with -O3; AVX2 halves the time.
#include "data/scale_bytes.hpp"

#include "base/for_vectors.hpp"

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
