// SPDX-License-Identifier: MIT
// Philox 4x32-10 and the numbers drawn from it. Lowest layer.
#include "base/stream.hpp"

#include <cmath>
#include <numbers>

#include "base/hash.hpp"

namespace kdhost {
namespace {

// Multipliers and Weyl increments of the paper's table 2.
constexpr std::uint64_t kMultiplier0 = 0xD2511F53;
constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

constexpr std::uint32_t high(std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); }
constexpr std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

std::uint32_t word(const Digest& digest, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = (value << 8) | digest.bytes[4 * at + i];
  return value;
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {high(product1) ^ counter[1] ^ key[0], low(product1), high(product0) ^ counter[3] ^ key[1],
               low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

Stream::Stream(std::uint64_t seed, std::string_view purpose, std::uint64_t a, std::uint64_t b) {
  // 128 bits of digest choose key and counter half, so that two streams meet only if their digests do.
  const Digest digest = Hasher().add(seed).add(a).add(b).add(purpose).digest();
  key_ = {word(digest, 0), word(digest, 1)};
  lane_ = {word(digest, 2), word(digest, 3)};
}

std::uint32_t Stream::next32() {
  const std::size_t offset = position_ % 4;
  if (offset == 0) {
    const std::uint64_t count = position_ / 4;
    block_ = philox({low(count), high(count), lane_[0], lane_[1]}, key_);
  }
  ++position_;
  return block_[offset];
}

std::uint64_t Stream::next64() {
  const std::uint64_t first = next32();
  return (first << 32) | next32();
}

double Stream::uniform() { return static_cast<double>(next64() >> 11) * 0x1p-53; }

float Stream::uniform_float() { return static_cast<float>(next32() >> 8) * 0x1p-24F; }

double Stream::normal() {
  // 1 - u lies in (0, 1], so the logarithm is finite.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::uint64_t Stream::below(std::uint64_t bound) {
  // Draws above the largest multiple of `bound` are thrown away; fewer than one in two ever are.
  const std::uint64_t excess = (0 - bound) % bound;
  for (;;) {
    const std::uint64_t drawn = next64();
    if (drawn >= excess) return drawn % bound;
  }
}

void Stream::seek(std::uint64_t position) {
  position_ = position - position % 4;
  while (position_ < position) next32();
}

std::uint64_t derived_seed(std::uint64_t seed, std::string_view purpose, std::uint64_t a, std::uint64_t b) {
  return Stream(seed, purpose, a, b).next64() >> 1;
}

}  // namespace kdhost
