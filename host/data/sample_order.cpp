// SPDX-License-Identifier: MIT
// Sample order and augmentation keys from named streams; see sample_order.hpp.
#include "data/sample_order.hpp"

#include <array>

#include "base/stream.hpp"

namespace kdhost {

std::vector<int64_t> sample_order(std::span<const int64_t> samples, uint64_t seed, int64_t pass, bool shuffle) {
  std::vector<int64_t> order(samples.begin(), samples.end());
  if (shuffle) Stream(seed, "order", static_cast<uint64_t>(pass)).shuffle(std::span<int64_t>(order));
  return order;
}

namespace {

/// One block of the generator for each sample, under a key drawn for (seed, pass): cheaper than a stream a sample.
class SampleKeys {
 public:
  SampleKeys(uint64_t seed, int64_t pass_or_view) {
    Stream stream(seed, "augment", static_cast<uint64_t>(pass_or_view));
    key_ = {stream.next32(), stream.next32()};
  }

  uint64_t of(int64_t sample) const {
    const auto number = static_cast<uint64_t>(sample);
    const auto block = philox({static_cast<uint32_t>(number), static_cast<uint32_t>(number >> 32), 0, 0}, key_);
    return (uint64_t{block[0]} << 32) | block[1];
  }

 private:
  std::array<uint32_t, 2> key_{};
};

}  // namespace

uint64_t augmentation_key(uint64_t seed, int64_t pass_or_view, int64_t sample) {
  return SampleKeys(seed, pass_or_view).of(sample);
}

std::vector<uint64_t> augmentation_keys(uint64_t seed, int64_t pass_or_view, std::span<const int64_t> samples) {
  const SampleKeys source(seed, pass_or_view);
  std::vector<uint64_t> keys;
  keys.reserve(samples.size());
  for (const int64_t sample : samples) keys.push_back(source.of(sample));
  return keys;
}

}  // namespace kdhost
