// SPDX-License-Identifier: MIT
// kdhost.normalize against the same arithmetic in LibTorch.
#include "plugins/transforms/transform_case.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

Arguments lists(const std::vector<double>& mean, const std::vector<double>& std) {
  Arguments params;
  for (const auto& [name, list] : {std::pair{"mean", &mean}, std::pair{"std", &std}}) {
    kdh_value v{};
    v.type = KDH_T_FLOAT_LIST;
    v.count = list->size();
    v.u.floats = list->data();
    params.add(name, v);
  }
  return params;
}

const std::vector<double> kMean = {0.485, 0.456, 0.406}, kStd = {0.229, 0.224, 0.225};

at::Tensor expected(const at::Tensor& x) {
  const auto as = [&](const std::vector<double>& v) {
    return at::tensor(v, at::kDouble).to(x.scalar_type()).reshape({1, 3, 1, 1});
  };
  return (x - as(kMean)) / as(kStd);
}

}  // namespace

TEST_CASE("normalize subtracts and divides per channel, to the bit, in every layout and type, which are kept") {
  TransformCase normalize(lists(kMean, kStd), "kdhost.normalize");
  CHECK(normalize.fixed());
  const at::Tensor x = images(9) / 300;
  CHECK(at::equal(normalize(x, {}), expected(x)));
  const at::Tensor last = normalize(x.contiguous(at::MemoryFormat::ChannelsLast), {});
  CHECK(at::equal(last, expected(x)));
  CHECK(last.is_contiguous(at::MemoryFormat::ChannelsLast));
  CHECK(at::equal(normalize(x.transpose(2, 3).contiguous().transpose(2, 3), {}), expected(x)));
  CHECK(at::equal(normalize(x.to(at::kDouble), {}), expected(x.to(at::kDouble))));
}

TEST_CASE("normalize takes one number for all channels, and inputs that are no images") {
  TransformCase normalize(lists({0.5}, {0.25}), "kdhost.normalize");
  const at::Tensor x = images(4) / 100;
  CHECK(at::equal(normalize(x, {}), (x - 0.5) / 0.25));
  const at::Tensor rows = at::arange(6, at::kFloat).reshape({2, 3});
  CHECK(at::equal(normalize(rows, {}), (rows - 0.5) / 0.25));
}

TEST_CASE("normalize refuses another number of channels, and bytes") {
  TransformCase normalize(lists({0.5, 0.5}, {0.25}), "kdhost.normalize");
  CHECK_THROWS_WITH(normalize(images(2), {}),
                    Catch::Contains("parameter 'mean' has 2 numbers, expected 1 or 3, the channels of the input"));
  CHECK_THROWS_WITH(
      normalize(at::zeros({2, 1, 2, 2}, at::kByte), {}),
      Catch::Contains("'batch.input' is [2, 1, 2, 2] uint8, expected [N, C, ...] in floating point. Give the data set "
                      "a scale, which makes floating-point numbers of bytes."));
}
