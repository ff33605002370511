// SPDX-License-Identifier: MIT
// kdhost.synthetic: the same numbers from the same seed, and classes that can be told apart.
#include <algorithm>

#include "plugins/datasets/made_files.hpp"

using namespace kdhost::test;

namespace {

Settings small(double seed) {
  return {{"classes", 3.0},
          {"samples", 90.0},
          {"validation_samples", 6.0},
          {"test_samples", 30.0},
          {"shape", std::vector<int64_t>{1, 6, 5}},
          {"seed", seed}};
}

}  // namespace

TEST_CASE("synthetic data are a function of the seed") {
  const OpenData a("kdhost.synthetic", small(1)), b("kdhost.synthetic", small(1)), c("kdhost.synthetic", small(2));
  for (const uint32_t split : {KDH_SPLIT_TRAIN, KDH_SPLIT_VALIDATION, KDH_SPLIT_TEST}) {
    CHECK(a.all<float>(split, 0) == b.all<float>(split, 0));
    CHECK(a.all<float>(split, 0) != c.all<float>(split, 0));
  }
  CHECK(a.info().samples[KDH_SPLIT_VALIDATION] == 6);
  CHECK(a.shape(0) == std::vector<int64_t>{1, 6, 5});
}

TEST_CASE("more synthetic samples do not change those there were") {
  Settings more = small(1);
  more[1].second = 120.0;
  const auto few = OpenData("kdhost.synthetic", small(1)).all<float>(KDH_SPLIT_TRAIN, 0);
  auto many = OpenData("kdhost.synthetic", more).all<float>(KDH_SPLIT_TRAIN, 0);
  many.resize(few.size());
  CHECK(few == many);
}

TEST_CASE("synthetic samples lie in [0, 1], labels go round, splits differ") {
  const OpenData d("kdhost.synthetic", small(1));
  const auto x = d.all<float>(KDH_SPLIT_TRAIN, 0);
  CHECK(*std::min_element(x.begin(), x.end()) >= 0.0f);
  CHECK(*std::max_element(x.begin(), x.end()) <= 1.0f);
  CHECK(d.all<int64_t>(KDH_SPLIT_VALIDATION, 1) == std::vector<int64_t>{0, 1, 2, 0, 1, 2});
  const auto test = d.all<float>(KDH_SPLIT_TEST, 0);
  CHECK(!std::equal(test.begin(), test.end(), x.begin()));
}

TEST_CASE("the class means of the training split classify the synthetic test split") {
  const OpenData d("kdhost.synthetic", small(1));
  const auto x = d.all<float>(KDH_SPLIT_TRAIN, 0), test = d.all<float>(KDH_SPLIT_TEST, 0);
  std::vector<double> mean(3 * 30, 0.0);
  for (std::size_t i = 0; i < 90; ++i)
    for (std::size_t j = 0; j < 30; ++j) mean[i % 3 * 30 + j] += x[i * 30 + j] / 30.0;
  int right = 0;
  for (std::size_t i = 0; i < 30; ++i) {
    std::vector<double> distance(3, 0.0);
    for (std::size_t k = 0; k < 3; ++k)
      for (std::size_t j = 0; j < 30; ++j) distance[k] += std::pow(test[i * 30 + j] - mean[k * 30 + j], 2);
    right += std::min_element(distance.begin(), distance.end()) - distance.begin() == static_cast<std::ptrdiff_t>(i % 3)
                 ? 1
                 : 0;
  }
  CHECK(right >= 27);
}

TEST_CASE("a synthetic shape beyond all memory is refused") {
  CHECK_THROWS_WITH(OpenData("kdhost.synthetic", {{"shape", std::vector<int64_t>{1 << 20, 1 << 20}}}),
                    "parameter 'shape' is [1048576, 1048576]; expected less than 2^30 elements");
}
