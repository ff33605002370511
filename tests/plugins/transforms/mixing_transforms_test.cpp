// SPDX-License-Identifier: MIT
// Mixup and cutmix: inputs and labels are mixed by the same share, which has the distribution it should.
#include <cmath>

#include "plugins/transforms/transform_case.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

at::Tensor labels(int64_t n) { return at::arange(n, at::kLong).remainder(4); }

// Image n is n everywhere, so a pixel tells whose it is.
at::Tensor numbered(int64_t n, int64_t side = 8) {
  return at::arange(n, at::kFloat).reshape({n, 1, 1, 1}).expand({n, 2, side, side}).contiguous();
}

}  // namespace

TEST_CASE("mixup mixes inputs and labels with one partner and one share for the batch") {
  TransformCase mixup("kdhost.mixup", {{"alpha", 1.0}}, 4);
  const at::Tensor x = numbered(6), y = labels(6);
  const auto [mixed, soft] = mixup.batch(x, y, keys(6));
  CHECK(soft.scalar_type() == at::kFloat);
  CHECK(soft.sizes() == at::IntArrayRef({6, 4}));
  CHECK(at::allclose(soft.sum(1), at::ones({6}), 0, 1e-6));
  bool found = false;
  for (int64_t by = 1; by < 6 && !found; ++by) {
    const at::Tensor partner = x.roll({by}, {0});
    const double share = ((mixed - partner)[0] / (x - partner)[0]).flatten()[0].item<double>();
    const at::Tensor one_hot = at::one_hot(y, 4).to(at::kFloat);
    found = at::allclose(mixed, x * share + partner * (1 - share), 0, 1e-5) &&
            at::allclose(soft, one_hot * share + one_hot.roll({by}, {0}) * (1 - share), 0, 1e-5);
  }
  CHECK(found);
}

TEST_CASE("mixup shares have the mean and spread of the Beta distribution") {
  // Var Beta(a, a) = 1 / (4 (2 a + 1))
  for (const double alpha : {0.05, 0.2, 1.0, 4.0}) {
    TransformCase mixup("kdhost.mixup", {{"alpha", alpha}}, 2);
    const at::Tensor x = numbered(2, 1), y = at::tensor({0, 1}, at::kLong);
    double sum = 0, square = 0;
    constexpr int kDraws = 4000;
    for (int i = 0; i < kDraws; ++i) {
      const double share = mixup.batch(x, y, keys(2, static_cast<uint64_t>(i))).second[0][0].item<double>();
      REQUIRE(share >= 0.0);
      REQUIRE(share <= 1.0);
      sum += share;
      square += share * share;
    }
    const double mean = sum / kDraws, variance = square / kDraws - mean * mean, expected = 0.25 / (2 * alpha + 1);
    INFO("alpha " << alpha);
    CHECK(std::fabs(mean - 0.5) < 5 * std::sqrt(expected / kDraws));
    CHECK(variance == Approx(expected).epsilon(0.06));
  }
}

TEST_CASE("cutmix takes a box from one partner and mixes labels by its area") {
  TransformCase cutmix("kdhost.cutmix", {}, 4);
  int boxes = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const at::Tensor x = numbered(6), y = labels(6);
    const auto [mixed, soft] = cutmix.batch(x, y, keys(6, seed));
    const at::Tensor taken = mixed[0].ne(0)[0];  // image 0 is 0 everywhere
    const double area = taken.to(at::kDouble).mean().item<double>();
    const at::Tensor one_hot = at::one_hot(y, 4).to(at::kFloat);
    if (area == 0) {
      CHECK(at::equal(mixed, x));
      CHECK(at::allclose(soft, one_hot));
      continue;
    }
    ++boxes;
    // A box: as many pixels as rows times columns that it touches; the same one in every image.
    const int64_t rows = taken.any(1).sum().item<int64_t>(), columns = taken.any(0).sum().item<int64_t>();
    CHECK(taken.sum().item<int64_t>() == rows * columns);
    const auto by = static_cast<int64_t>(6 - mixed[0].max().item<double>());
    const at::Tensor partner = x.roll({by}, {0});
    CHECK(at::equal(mixed, at::where(taken, partner, x)));
    CHECK(at::allclose(soft, one_hot * (1 - area) + one_hot.roll({by}, {0}) * area, 0, 1e-6));
  }
  CHECK(boxes > 30);
}

TEST_CASE("a batch that is not mixed keeps its input; its label is a probability all the same") {
  for (const std::string id : {"kdhost.mixup", "kdhost.cutmix"}) {
    TransformCase none(id, {{"p", 0.0}}, 4);
    const auto [x, y] = none.batch(numbered(5), labels(5), keys(5));
    CHECK(at::equal(x, numbered(5)));
    CHECK(at::equal(y, at::one_hot(labels(5), 4).to(at::kFloat)));
    TransformCase half(id, {{"p", 0.5}}, 4);
    int mixed = 0;
    for (uint64_t seed = 0; seed < 100; ++seed)
      mixed += at::equal(half.batch(numbered(5), labels(5), keys(5, seed)).first, numbered(5)) ? 0 : 1;
    CHECK(mixed > 20);
    CHECK(mixed < 70);
  }
}

TEST_CASE("mixing is a function of the keys, takes one sample, probabilities and float64") {
  for (const std::string id : {"kdhost.mixup", "kdhost.cutmix"}) {
    INFO(id);
    TransformCase transform(id, {}, 4);
    const auto a = transform.batch(images(6), labels(6), keys(6)),
               b = TransformCase(id, {}, 4).batch(images(6), labels(6), keys(6));
    CHECK(at::equal(a.first, b.first));
    CHECK(at::equal(a.second, b.second));
    CHECK(at::allclose(transform.batch(images(1), labels(1), keys(1)).first, images(1)));
    const at::Tensor soft = at::full({6, 3}, 1.0 / 3, at::kDouble);
    const auto c = transform.batch(images(6).to(at::kDouble), soft, keys(6));
    CHECK(c.second.scalar_type() == at::kDouble);
    CHECK(at::allclose(c.second, soft));
    CHECK(at::allclose(c.first.to(at::kFloat), a.first, 1e-6));
  }
}

TEST_CASE("mixing without classes is refused") {
  TransformCase mixup("kdhost.mixup");
  CHECK_THROWS_WITH(
      mixup.batch(images(2), labels(2), keys(2)),
      Catch::Contains("the data set has no classes, so its labels cannot be mixed. Leave this transform out."));
  CHECK_THROWS_WITH(mixup.batch(images(2), at::zeros({2, 2, 2}), keys(2)),
                    Catch::Contains("'batch.label' is [2, 2, 2], expected class numbers [N] or probabilities [N, C]"));
}
