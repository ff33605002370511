// SPDX-License-Identifier: MIT
// Order and keys are functions of their arguments only.
#include "data/sample_order.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <set>

namespace kdhost {
namespace {

std::vector<int64_t> some_samples() {
  std::vector<int64_t> samples(1000);
  std::iota(samples.begin(), samples.end(), int64_t{5});
  return samples;
}

TEST_CASE("the sample order depends on seed and pass and on nothing else") {
  const auto samples = some_samples();
  const auto order = sample_order(samples, 7, 3, true);
  sample_order(samples, 8, 0, true);
  CHECK(sample_order(samples, 7, 3, true) == order);
  CHECK(sample_order(samples, 7, 4, true) != order);
  CHECK(sample_order(samples, 8, 3, true) != order);
}

TEST_CASE("the sample order holds every sample once") {
  const auto samples = some_samples();
  auto order = sample_order(samples, 1, 0, true);
  CHECK(order != samples);
  std::sort(order.begin(), order.end());
  CHECK(order == samples);
}

TEST_CASE("without shuffling the samples keep their order") {
  CHECK(sample_order(some_samples(), 7, 3, false) == some_samples());
}

TEST_CASE("augmentation keys differ between seeds, passes and samples and do not depend on the batch") {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 3; ++seed)
    for (int64_t pass = 0; pass < 5; ++pass)
      for (int64_t sample = 0; sample < 200; ++sample) seen.insert(augmentation_key(seed, pass, sample));
  CHECK(seen.size() == 3 * 5 * 200);
  const std::vector<int64_t> one = {4, 9}, other = {9, 100, 4};
  CHECK(augmentation_keys(1, 2, one)[1] == augmentation_keys(1, 2, other)[0]);
  CHECK(augmentation_keys(1, 2, one)[0] == augmentation_keys(1, 2, other)[2]);
}

}  // namespace
}  // namespace kdhost
