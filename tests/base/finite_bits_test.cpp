// SPDX-License-Identifier: MIT
#include "base/finite_bits.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <limits>
#include <string>
#include <vector>

#include "differences.hpp"

namespace kdhost {
namespace {

/// Positions and numbers that were judged wrongly.
template <class Float, class Bits>
test::Differences misjudged() {
  test::Differences wrong;
  using Limits = std::numeric_limits<Float>;
  const std::vector<Float> ordinary{Float(0),         Float(-0.0),          Limits::max(),
                                    Limits::lowest(), Limits::denorm_min(), Float(1)};
  for (std::size_t count : {0u, 1u, 7u, 8u, 33u, 100u}) {
    std::vector<Bits> bits;
    for (std::size_t i = 0; i < count; ++i) bits.push_back(std::bit_cast<Bits>(ordinary[i % ordinary.size()]));
    if (!finite_bits(bits.data(), bits.size())) wrong.push_back(std::to_string(count) + " ordinary numbers");
    for (std::size_t at = 0; at < count; ++at)
      for (Float bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), Limits::signaling_NaN()}) {
        std::vector<Bits> broken = bits;
        broken[at] = std::bit_cast<Bits>(bad);
        if (finite_bits(broken.data(), broken.size()))
          wrong.push_back(std::to_string(bad) + " at " + std::to_string(at) + " of " + std::to_string(count));
      }
  }
  return wrong;
}

}  // namespace

TEST_CASE("an infinity or a NaN is found wherever it stands, and the largest numbers are finite") {
  CHECK(misjudged<float, std::uint32_t>() == test::kNoDifferences);
  CHECK(misjudged<double, std::uint64_t>() == test::kNoDifferences);
}

}  // namespace kdhost
