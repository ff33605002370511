// SPDX-License-Identifier: MIT
// Random numbers that depend on what they are for and on nothing else: no global state, no order of calls. Sample
// order, splits, augmentation and initialisation each draw from a named stream, so a resumed run repeats them
// exactly. Lowest layer.
//
// Generator: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace kdhost {

/// One block of Philox 4x32-10: four random words of a counter and a key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// An endless sequence of random numbers, a pure function of (seed, purpose, a, b). Two streams that differ in any
/// of the four are independent. Copying copies the position.
class Stream {
 public:
  /// `purpose` names the use ("order", "augment", "init"); `a` and `b` are its indices, such as epoch and sample.
  Stream(std::uint64_t seed, std::string_view purpose, std::uint64_t a = 0, std::uint64_t b = 0);

  std::uint32_t next32();
  std::uint64_t next64();
  /// In [0, 1), all 53 bits random.
  double uniform();
  /// In [0, 1), all 24 bits random.
  float uniform_float();
  /// Standard normal. Box-Muller; each call draws its own pair, so calls do not depend on each other's parity.
  double normal();
  /// In 0 .. bound - 1, without bias; bound > 0.
  std::uint64_t below(std::uint64_t bound);

  /// Fisher-Yates, from the end.
  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      using std::swap;
      swap(items[i - 1], items[static_cast<std::size_t>(below(i))]);
    }
  }

  /// How many 32-bit words have been drawn.
  std::uint64_t position() const { return position_; }
  /// Continues at a position: seek(position()) on an equal stream gives the same numbers.
  void seek(std::uint64_t position);

 private:
  std::array<std::uint32_t, 2> key_{};
  /// Upper half of the counter; the lower half counts blocks.
  std::array<std::uint32_t, 2> lane_{};
  std::array<std::uint32_t, 4> block_{};
  std::uint64_t position_ = 0;
};

/// A seed for a foreign generator (LibTorch's) from the same four: the first 64 bits of that stream, without the top
/// bit, since some generators take signed seeds.
std::uint64_t derived_seed(std::uint64_t seed, std::string_view purpose, std::uint64_t a = 0, std::uint64_t b = 0);

}  // namespace kdhost
