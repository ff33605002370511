// SPDX-License-Identifier: MIT
// Gathers samples from memory and converts them in the same pass: the inner loop of step 2 in the life of a batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace kdhost {

/// True for the dtypes that convert_rows reads.
bool convertible(at::ScalarType stored);

/// out[i] = all[rows[i]] * scale, the product taken in float64 and rounded once to the dtype of `out` (float32,
/// float64, int64, or that of `all` with scale 1: then bytes are copied). `all` is contiguous on the CPU; `out` is
/// contiguous, or channels_last where it is [N, C, H, W]. Runs on the calling thread: it is bound by memory, and a
/// batch is small.
void convert_rows(const at::Tensor& all, std::span<const int64_t> rows, double scale, at::Tensor& out);

}  // namespace kdhost
