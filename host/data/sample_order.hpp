// SPDX-License-Identifier: MIT
// The order of samples and the keys of their augmentations. Step 1 in the life of a batch. Pure functions: nothing but
// their arguments decides, so a resumed run, another number of threads or another start epoch see the same.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kdhost {

/// The samples in the order of one pass over them: a permutation drawn from (seed, pass) alone, or as they are when
/// they are not to be shuffled. `pass` counts from 0 (the epoch).
std::vector<int64_t> sample_order(std::span<const int64_t> samples, uint64_t seed, int64_t pass, bool shuffle);

/// Batches in one pass over `samples`: a last one that is not full is smaller, or with `drop_last` left out.
constexpr int64_t batches_of(int64_t samples, int64_t batch, bool drop_last) {
  return (drop_last ? samples : samples + batch - 1) / batch;
}

/// The random key of one sample in one pass, or in one replayed view of it.
uint64_t augmentation_key(uint64_t seed, int64_t pass_or_view, int64_t sample);

/// The keys of a batch, one a sample.
std::vector<uint64_t> augmentation_keys(uint64_t seed, int64_t pass_or_view, std::span<const int64_t> samples);

}  // namespace kdhost
