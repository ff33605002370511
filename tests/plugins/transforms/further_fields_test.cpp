// SPDX-License-Identifier: MIT
// The transforms that add a field to the batch: what it holds, that the input stays as it is, and the names it may
// have.
#include "plugins/transforms/transform_case.hpp"

using namespace kdhost;
using namespace kdhost::test;

TEST_CASE("view keeps the input under the name that is written") {
  TransformCase view("kdhost.view", {{"name", std::string("weak")}});
  CHECK(view.fixed());
  const at::Tensor x = images(3);
  CHECK(at::equal(view.field("weak", x), x));
  CHECK(at::equal(view(x, {}), x));
}

TEST_CASE("rotations are the image turned by quarters, counter-clockwise, in every layout") {
  TransformCase rotations("kdhost.rotations");
  CHECK(rotations.fixed());
  const at::Tensor x = images(3, 2, 5, 5);
  for (const at::Tensor& laid : {x, x.contiguous(at::MemoryFormat::ChannelsLast), x.to(at::kDouble)}) {
    const at::Tensor turned = rotations.field("rotations", laid);
    REQUIRE(turned.sizes() == at::IntArrayRef({3, 4, 2, 5, 5}));
    CHECK(turned.scalar_type() == laid.scalar_type());
    for (int64_t k = 0; k < 4; ++k) CHECK(at::equal(turned.select(1, k), laid.rot90(k, {2, 3})));
  }
  CHECK_THROWS_WITH(rotations.field("rotations", images(2)),
                    Catch::Contains("'batch.input' is [2, 3, 6, 5], expected square images, which keep their shape "
                                    "when they are turned"));
}

TEST_CASE("a thumbnail is the mean of each cell, row by row") {
  TransformCase thumbnail("kdhost.thumbnail", {{"size", 2.0}, {"name", std::string("small")}});
  CHECK(thumbnail.fixed());
  const at::Tensor x = images(3, 2, 4, 6);
  CHECK(at::allclose(thumbnail.field("small", x), x.reshape({3, 2, 2, 2, 2, 3}).mean({3, 5}).reshape({3, 8})));
  CHECK_THROWS_WITH(TransformCase("kdhost.thumbnail", {{"size", 6.0}}).field("thumbnail", images(2)),
                    Catch::Contains("parameter 'size' is 6, expected at most 5, the side of the images"));
}

TEST_CASE("a new field has a name of its own that a tap can be written with") {
  for (const char* name : {"input", "label", "index", "", "a@b", "a:b", "batch.a", "two words"})
    CHECK_THROWS_WITH(
        TransformCase("kdhost.view", {{"name", std::string(name)}}),
        Catch::Contains("parameter 'name' is '" + std::string(name) +
                        "', expected the name of a new field: no '@', ':', '.' or space in it, and not input, label or "
                        "index, which every batch has"));
  CHECK_NOTHROW(TransformCase("kdhost.view", {{"name", std::string("view_1")}}));
}
