// SPDX-License-Identifier: MIT
//
// Attention transfer with squares, sample by sample over raw memory: where each map is active, how far the two are
// apart, and the gradient with respect to the student's activity. Composed of operators the same reads and writes each
// map about seven times; here it is read once going forward and once going back. Used by kdhost.attention on the CPU.
#pragma once
#include <kdhost/plugin.hpp>

#include <cstdint>

namespace kdhost::plugins {

/// A map in memory: [N, C, H, W] without gaps, or the same with the channels of a position side by side.
template <class T>
struct AttentionMap {
  const T* data;
  std::int64_t channels;
  bool channels_last;
};

template <class T>
struct AttentionRows {
  AttentionMap<T> student, teacher;
  std::int64_t positions;  ///< H * W, the same on both sides
  bool distance;           ///< the L2 distance of each sample instead of the sum of squares
  T gradient_scale;
  T* gradient;    ///< [N, positions]: gradient_scale * d value / d (2 f / C of the student); null when nobody wants it
  double* value;  ///< [N], unscaled
  T* room;        ///< [N, 2 * positions], to work in
};

/// Samples [begin, end). Values do not depend on how the samples are cut into pieces.
void attention_rows(const AttentionRows<float>& k, std::int64_t begin, std::int64_t end) noexcept;
void attention_rows(const AttentionRows<double>& k, std::int64_t begin, std::int64_t end) noexcept;

}  // namespace kdhost::plugins
