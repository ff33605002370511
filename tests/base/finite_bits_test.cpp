// SPDX-License-Identifier: MIT
#include "base/finite_bits.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <limits>
#include <vector>

namespace kdhost {
namespace {

template <class Float, class Bits>
void every_position_is_looked_at() {
  using Limits = std::numeric_limits<Float>;
  const std::vector<Float> ordinary{Float(0),         Float(-0.0),          Limits::max(),
                                    Limits::lowest(), Limits::denorm_min(), Float(1)};
  for (std::size_t count : {0u, 1u, 7u, 8u, 33u, 100u}) {
    std::vector<Bits> bits;
    for (std::size_t i = 0; i < count; ++i) bits.push_back(std::bit_cast<Bits>(ordinary[i % ordinary.size()]));
    CHECK(finite_bits(bits.data(), bits.size()));
    for (std::size_t at = 0; at < count; ++at)
      for (Float bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), Limits::signaling_NaN()}) {
        std::vector<Bits> broken = bits;
        broken[at] = std::bit_cast<Bits>(bad);
        CHECK_FALSE(finite_bits(broken.data(), broken.size()));
      }
  }
}

}  // namespace

TEST_CASE("an infinity or a NaN is found wherever it stands, and the largest numbers are finite") {
  every_position_is_looked_at<float, std::uint32_t>();
  every_position_is_looked_at<double, std::uint64_t>();
}

}  // namespace kdhost
