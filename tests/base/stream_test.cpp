// SPDX-License-Identifier: MIT
// Random streams: the generator's published values, independence of names, position, and the shape of the numbers.
#include "base/stream.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <vector>

using namespace kdhost;
using Words = std::array<std::uint32_t, 4>;

// Known answers of the Random123 library that the authors of Philox published with their paper.
TEST_CASE("Philox 4x32-10 gives the published numbers", "[base]") {
  constexpr std::uint32_t kOnes = 0xFFFFFFFF;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

// Recorded once: these numbers are part of every result, so a change of them is a change of format.
TEST_CASE("a stream gives the same numbers in every version", "[base]") {
  Stream stream(1, "order", 2, 3);
  const std::vector<std::uint32_t> first = {stream.next32(), stream.next32(), stream.next32(), stream.next32(),
                                            stream.next32()};
  CHECK(first == std::vector<std::uint32_t>{0xed0182a5, 0x2981fd82, 0x0c485847, 0x5e678af7, 0xb72b4183});
}

TEST_CASE("streams differ in seed, purpose and both indices", "[base]") {
  const std::vector<std::uint64_t> firsts = {Stream(1, "a", 0, 0).next64(), Stream(2, "a", 0, 0).next64(),
                                             Stream(1, "b", 0, 0).next64(), Stream(1, "a", 1, 0).next64(),
                                             Stream(1, "a", 0, 1).next64(), Stream(1, "aa", 0, 0).next64()};
  for (std::size_t i = 0; i < firsts.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) CHECK(firsts[i] != firsts[j]);
  }
  CHECK(Stream(1, "a").next64() == firsts[0]);
  CHECK(derived_seed(1, "a") == firsts[0] >> 1);
}

TEST_CASE("a stream continues at any position", "[base]") {
  Stream all(5, "seek");
  std::vector<std::uint32_t> numbers(50);
  for (auto& number : numbers) number = all.next32();
  for (std::size_t at = 0; at < numbers.size(); ++at) {
    Stream later(5, "seek");
    later.seek(at);
    CHECK(later.position() == at);
    CHECK(later.next32() == numbers[at]);
  }
}

TEST_CASE("uniform and normal numbers have their mean and variance", "[base]") {
  Stream stream(3, "moments");
  constexpr int kCount = 200'000;
  double sum = 0.0;
  double normal_sum = 0.0;
  double normal_square = 0.0;
  for (int i = 0; i < kCount; ++i) {
    const double u = stream.uniform();
    const float f = stream.uniform_float();
    REQUIRE((u >= 0.0 && u < 1.0 && f >= 0.0F && f < 1.0F));
    const double z = stream.normal();
    sum += u;
    normal_sum += z;
    normal_square += z * z;
  }
  // Five standard errors of the mean.
  CHECK(std::abs(sum / kCount - 0.5) < 5.0 * std::sqrt(1.0 / 12.0 / kCount));
  CHECK(std::abs(normal_sum / kCount) < 5.0 / std::sqrt(kCount));
  CHECK(std::abs(normal_square / kCount - 1.0) < 5.0 * std::sqrt(2.0 / kCount));
}

TEST_CASE("below is uniform and a shuffle is a permutation", "[base]") {
  Stream stream(4, "below");
  std::array<int, 7> counts{};
  for (int i = 0; i < 70'000; ++i) ++counts.at(stream.below(7));
  for (const int count : counts) CHECK(std::abs(count - 10'000) < 500);
  CHECK(stream.below(1) == 0);

  std::vector<int> order(1000);
  std::iota(order.begin(), order.end(), 0);
  const std::vector<int> sorted = order;
  stream.shuffle(std::span(order));
  CHECK(order != sorted);
  CHECK(std::is_permutation(order.begin(), order.end(), sorted.begin()));
}
