// SPDX-License-Identifier: MIT
//
// Batch normalisation in training with ReLU, and optionally an addition between them, over raw memory: the kernels
// behind batch_norm_relu.hpp. A channels_last map [N, C, H, W] is a matrix of N*H*W rows and C columns; C must be a
// multiple of 8.
//
// The rows are cut into blocks that stay in the first-level cache. A block's sums are made by one thread and joined
// block by block in float64, so results depend neither on the number of threads nor on which thread did what.
#pragma once
#include <cstdint>

namespace kdhost::plugins {

struct NormRows {
  std::int64_t rows, channels;
  /// Rows of a block: about 16 KiB.
  std::int64_t block_rows() const { return channels < 4096 ? 4096 / channels : 1; }
  std::int64_t blocks() const { return (rows + block_rows() - 1) / block_rows(); }
};

/// What each channel is normalised with: (x - mean) * scale + shift.
struct NormChannels {
  const float *mean, *scale, *shift;
};

/// Mean and sum of squared deviations of blocks [first, last): partial is [blocks][2][channels].
void norm_block_sums(const NormRows& m, const float* x, float* partial, std::int64_t first, std::int64_t last) noexcept;

/// Of all rows, from the blocks' values: mean, and squared deviations divided by the number of rows.
void norm_join_sums(const NormRows& m, const float* partial, double* mean, double* variance) noexcept;

/// y = relu((x - mean) * scale + shift + residual); residual may be null. NaN passes the ReLU.
void norm_forward(const NormRows& m, const NormChannels& p, const float* x, const float* residual, float* y,
                  std::int64_t first, std::int64_t last) noexcept;

/// Of each block: the sum of g and of g * (x - mean), where g is dy where the ReLU let the value pass; partial as
/// above. Without residual (y is null) the ReLU's side is computed again from x; with one it is read from y, and g is
/// written to `through`: it is the residual's gradient.
void norm_backward_sums(const NormRows& m, const NormChannels& p, const float* x, const float* dy, const float* y,
                        float* through, float* partial, std::int64_t first, std::int64_t last) noexcept;

/// Sums the two halves of the partials over all blocks.
void norm_join_gradients(const NormRows& m, const float* partial, double* sum, double* sum_deviation) noexcept;

/// dx = g * scale + (x - mean) * slope + offset. g is read from `through`, or made again from dy where that is null.
void norm_backward(const NormRows& m, const NormChannels& p, const float* slope, const float* offset, const float* x,
                   const float* dy, const float* through, float* dx, std::int64_t first, std::int64_t last) noexcept;

/// a = relu(a + b), elements [begin, end), for frozen networks.
void add_relu_in_place(float* a, const float* b, std::int64_t begin, std::int64_t end) noexcept;

}  // namespace kdhost::plugins
