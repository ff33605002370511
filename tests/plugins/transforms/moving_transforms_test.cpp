// SPDX-License-Identifier: MIT
// Crop, shift, flip and cutout against loops over pixels written here, the equality of their ways of computing, and
// their dependence on the sample's key alone.
#include "plugins/transforms/transform_case.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

// out[n, c, h, w] = in[n, c, h + dy, w + dx], `fill` outside; dy and dx from the sample's stream.
at::Tensor moved(const at::Tensor& x, const std::vector<uint64_t>& sample_keys, int64_t most, float fill) {
  const at::Tensor y = at::full_like(x, fill);
  const auto in = x.accessor<float, 4>();
  auto out = y.accessor<float, 4>();
  for (int64_t n = 0; n < x.size(0); ++n) {
    ReferenceStream stream(sample_keys[static_cast<std::size_t>(n)]);
    const int64_t dy = stream.integer(2 * most + 1) - most, dx = stream.integer(2 * most + 1) - most;
    for (int64_t c = 0; c < x.size(1); ++c)
      for (int64_t h = 0; h < x.size(2); ++h)
        for (int64_t w = 0; w < x.size(3); ++w)
          if (h + dy >= 0 && h + dy < x.size(2) && w + dx >= 0 && w + dx < x.size(3))
            out[n][c][h][w] = in[n][c][h + dy][w + dx];
  }
  return y;
}

const std::vector<std::pair<std::string, Settings>> kMoving = {
    {"kdhost.random_crop", {{"padding", 2.0}, {"fill", 0.25}}},
    {"kdhost.random_crop", {{"padding", 9.0}}},
    {"kdhost.shift", {{"pixels", 1.0}}},
    {"kdhost.random_flip", {}},
    {"kdhost.random_flip", {{"direction", std::string("vertical")}}},
    {"kdhost.cutout", {{"size", 3.0}}},
    {"kdhost.cutout", {{"size", 40.0}, {"fill", -1.0}}},
};

}  // namespace

TEST_CASE("random_crop cuts a window out of the padded image, its place drawn by the sample") {
  TransformCase crop("kdhost.random_crop", {{"padding", 2.0}, {"fill", 0.5}});
  CHECK(at::equal(crop(images(40), keys(40)), moved(images(40), keys(40), 2, 0.5f)));
  CHECK_FALSE(crop.fixed());
}

TEST_CASE("random_crop reaches every place") {
  TransformCase crop("kdhost.random_crop", {{"padding", 1.0}});
  const at::Tensor one = at::zeros({200, 1, 3, 3});
  one.select(2, 1).select(2, 1).fill_(1);
  CHECK(at::equal(crop(one, keys(200)).sum(0).gt(0), at::ones({1, 3, 3}, at::kBool)));
}

TEST_CASE("shift moves by up to its pixels, zeros move in, and nothing moves with pixels = 0") {
  CHECK(at::equal(TransformCase("kdhost.shift", {{"pixels", 3.0}})(images(40), keys(40)),
                  moved(images(40), keys(40), 3, 0.0f)));
  CHECK(at::equal(TransformCase("kdhost.shift", {{"pixels", 0.0}})(images(3), keys(3)), images(3)));
}

TEST_CASE("random_flip mirrors the samples whose stream says so") {
  const at::Tensor x = images(40);
  for (const bool horizontal : {true, false}) {
    TransformCase flip("kdhost.random_flip",
                       {{"p", 0.3}, {"direction", std::string(horizontal ? "horizontal" : "vertical")}});
    const at::Tensor y = flip(x, keys(40));
    int mirrored = 0;
    for (int64_t n = 0; n < 40; ++n) {
      const bool turn = ReferenceStream(keys(40)[static_cast<std::size_t>(n)]).uniform() < 0.3;
      mirrored += turn ? 1 : 0;
      CHECK(at::equal(y[n], turn ? x[n].flip({horizontal ? 2 : 1}) : x[n]));
    }
    CHECK(mirrored > 3);
    CHECK(mirrored < 25);
  }
  CHECK(at::equal(TransformCase("kdhost.random_flip", {{"p", 1.0}})(x, keys(40)), x.flip({3})));
  CHECK(at::equal(TransformCase("kdhost.random_flip", {{"p", 0.0}})(x, keys(40)), x));
}

TEST_CASE("cutout blots out a square around a drawn centre, cut off at the border") {
  const at::Tensor x = images(40);
  const at::Tensor y = TransformCase("kdhost.cutout", {{"size", 3.0}, {"fill", -1.0}})(x, keys(40));
  for (int64_t n = 0; n < 40; ++n) {
    ReferenceStream stream(keys(40)[static_cast<std::size_t>(n)]);
    const int64_t top = stream.integer(6) - 1, left = stream.integer(5) - 1;
    at::Tensor expected = x[n].clone();
    for (int64_t h = std::max<int64_t>(top, 0); h < std::min<int64_t>(top + 3, 6); ++h)
      for (int64_t w = std::max<int64_t>(left, 0); w < std::min<int64_t>(left + 3, 5); ++w)
        expected.select(1, h).select(1, w).fill_(-1);
    CHECK(at::equal(y[n], expected));
  }
  CHECK(at::equal(TransformCase("kdhost.cutout", {{"size", 0.0}})(x, keys(40)), x));
}

TEST_CASE("copying memory and computing with operators give the same bits, in every layout, which is kept") {
  for (const auto& [id, settings] : kMoving)
    for (const int64_t channels : {1, 3}) {
      INFO(id << " " << channels);
      TransformCase transform(id, settings);
      const at::Tensor x = images(17, channels) / 7;
      const at::Tensor direct = transform(x, keys(17));
      CHECK(direct.is_contiguous());
      const at::Tensor last = transform(x.contiguous(at::MemoryFormat::ChannelsLast), keys(17));
      CHECK(last.is_contiguous(at::MemoryFormat::ChannelsLast));
      CHECK(at::equal(last, direct));
      // Neither contiguous nor channels last, and float64, go through operators.
      const at::Tensor odd = transform(x.transpose(2, 3).contiguous().transpose(2, 3), keys(17));
      CHECK(at::equal(odd, direct));
      const at::Tensor wide = transform(x.to(at::kDouble), keys(17));
      CHECK(wide.scalar_type() == at::kDouble);
      CHECK(at::equal(wide.to(at::kFloat), direct));
      const at::Tensor wide_last = transform(x.to(at::kDouble).contiguous(at::MemoryFormat::ChannelsLast), keys(17));
      CHECK(wide_last.is_contiguous(at::MemoryFormat::ChannelsLast));
      CHECK(at::equal(wide_last.to(at::kFloat), direct));
    }
}

TEST_CASE("a sample is changed by its key alone, in whatever batch it comes") {
  for (const auto& [id, settings] : kMoving) {
    INFO(id);
    TransformCase transform(id, settings);
    const at::Tensor x = images(12);
    const at::Tensor whole = transform(x, keys(12));
    const at::Tensor parts =
        at::concat({transform(x.narrow(0, 0, 5), keys(5)), transform(x.narrow(0, 5, 7), keys(7, 1, 5))});
    CHECK(at::equal(whole, parts));
    CHECK(at::equal(whole, TransformCase(id, settings)(x, keys(12))));
  }
  // Another seed, or epoch, is another key.
  TransformCase crop("kdhost.random_crop");
  CHECK_FALSE(at::equal(crop(images(12), keys(12)), crop(images(12), keys(12, 2))));
}

TEST_CASE("the batch that came in stays as it was") {
  for (const auto& [id, settings] : kMoving) {
    const at::Tensor x = images(5), before = x.clone();
    TransformCase(id, settings)(x, keys(5));
    CHECK(at::equal(x, before));
  }
}

TEST_CASE("anything but floating-point images is refused") {
  for (const std::string id : {"kdhost.random_crop", "kdhost.shift", "kdhost.random_flip", "kdhost.cutout"}) {
    TransformCase transform(id);
    const std::string rest =
        ", expected images [N, C, H, W] in floating point. Use a data set of images, or leave this transform out.";
    CHECK_THROWS_WITH(transform(at::zeros({4, 8}), keys(4)), Catch::Contains("'batch.input' is [4, 8] float32" + rest));
    CHECK_THROWS_WITH(transform(at::zeros({4, 1, 2, 2}, at::kByte), keys(4)),
                      Catch::Contains("'batch.input' is [4, 1, 2, 2] uint8" + rest));
  }
}
