// SPDX-License-Identifier: MIT
// The hottest loop of step 2 in the life of a batch: pictures of one byte a pixel become floating-point numbers. Apart
// from convert_rows.cpp because it is compiled for vectors.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kdhost {

/// to[i] = from[i] * scale, multiplied in float64 and rounded once: the same bits with and without vectors.
void scale_bytes(const uint8_t* from, std::size_t count, double scale, float* to);
void scale_bytes(const uint8_t* from, std::size_t count, double scale, double* to);

}  // namespace kdhost
