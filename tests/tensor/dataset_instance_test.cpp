// SPDX-License-Identifier: MIT
// The wrapper of data sets over a small component written directly on the C interface.
#include "tensor/dataset.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <functional>

#include "boundary_values.hpp"

namespace kdhost {
namespace {

using namespace testing;

const std::vector<int64_t> image_sizes{1, 2};
std::vector<kdh_field> fields;
kdh_dataset_info told;
const std::vector<uint8_t> pixels{1, 2, 3, 4, 5, 6};

const kdh_dataset kDatasetTable{
    sizeof(kdh_dataset),
    [](void*, kdh_dataset_info* out) -> kdh_status {
      told.struct_size = out->struct_size;
      *out = told;
      return KDH_OK;
    },
    [](void*, uint32_t, const int64_t* index, uint64_t n, void* const* out) -> kdh_status {
      for (uint64_t i = 0; i < n; ++i)
        std::memcpy(static_cast<uint8_t*>(out[0]) + 2 * i, pixels.data() + 2 * index[i], 2);
      return KDH_OK;
    },
    [](void*, uint32_t split, uint64_t) -> const void* { return split == KDH_SPLIT_TRAIN ? pixels.data() : nullptr; }};
const kdh_component kDataset = component(KDH_KIND_DATASET, "test.data",
                                         [](const kdh_component*, const kdh_create*, void** self, const void** vtable) {
                                           *self = &told;
                                           *vtable = &kDatasetTable;
                                           return KDH_OK;
                                         });

void describe_images() {
  fields.assign(1, kdh_field{borrow("input"), KDH_DTYPE_U8, 0, image_sizes.data(), 2, 1.0 / 255.0});
  told = {};
  told.samples[0] = 3;
  told.classes = 2;
  told.fields = fields.data();
  told.n_fields = 1;
  told.field_size = sizeof(kdh_field);
}

TEST_CASE("a data set tells its fields, fetches samples and shows what lies in memory") {
  describe_images();
  const DatasetInstance data(origin(kDataset, "data"), {});
  CHECK(data.samples(Split::train) == 3);
  CHECK(data.samples(Split::test) == 0);
  REQUIRE(data.info().fields.size() == 1);
  CHECK(data.info().fields[0].name == "input");
  CHECK(data.info().fields[0].bytes == 2);
  CHECK(data.info().field("input") == 0);
  CHECK(data.info().field("label") == 1);

  at::Tensor batch = at::zeros({2, 1, 2}, at::kByte);
  const std::vector<int64_t> index{2, 0};
  void* const out[1] = {batch.data_ptr()};
  data.fetch(Split::train, index, out);
  CHECK(batch[0][0][1].item<int>() == 6);
  CHECK(batch[1][0][0].item<int>() == 1);

  const at::Tensor all = data.resident(Split::train, 0);
  CHECK(all.sizes() == at::IntArrayRef({3, 1, 2}));
  CHECK(all.data_ptr() == pixels.data());
  CHECK_FALSE(data.resident(Split::test, 0).defined());

  const std::vector<int64_t> outside{3};
  CHECK(error_of([&] { data.fetch(Split::train, outside, out); }) ==
        "1: data: sample 3 of the training split.\n  Expected samples 0..2 and one buffer for each field.");
}

TEST_CASE("fields are walked by the stride that the plugin gives, not by the size that the host knows") {
  struct LaterField {
    kdh_field known;
    uint64_t later;
  };
  describe_images();
  LaterField longer[2] = {{fields[0], ~uint64_t{0}}, {fields[0], ~uint64_t{0}}};
  longer[1].known.name = borrow("other");
  told.fields = &longer[0].known;
  told.n_fields = 2;
  told.field_size = sizeof(LaterField);
  const DatasetInstance data(origin(kDataset, "data"), {});
  REQUIRE(data.info().fields.size() == 2);
  CHECK(data.info().fields[1].name == "other");
  CHECK(data.info().fields[1].bytes == 2);
}

TEST_CASE("a data set that describes itself wrongly is refused") {
  struct Case {
    std::function<void()> change;
    std::string text;
  };
  static const std::vector<int64_t> empty{0, 2};
  const std::vector<Case> cases{
      {[] { told.samples[0] = 0; }, "all splits are empty"},
      {[] { told.samples[1] = -4; }, "a split has -4 samples"},
      {[] { told.classes = -1; }, "-1 classes"},
      {[] { told.n_fields = 0; }, "0 fields of 48 bytes"},
      {[] { told.field_size = 8; }, "1 fields of 8 bytes"},
      {[] { fields[0].name = {}; }, "a field has no name"},
      {[] { fields[0].dtype = 99; }, "field 'input' has unknown dtype 99"},
      {[] { fields[0].rank = 99; }, "field 'input' has rank 99"},
      {[] { fields[0].scale = 0; }, "field 'input' has scale 0"},
      {[] { fields[0].sizes = empty.data(); }, "field 'input' has sample shape [0, 2]"},
      {[] { fields.push_back(fields[0]), told.fields = fields.data(), told.n_fields = 2; },
       "two fields are named 'input'"},
  };
  for (const Case& one : cases) {
    describe_images();
    one.change();
    CHECK(error_of([] { DatasetInstance(origin(kDataset, "data"), {}); }) ==
          "5: run.toml:7:3: data set 'test.data' of libtest.so, in info: described the data by " + one.text +
              ".\n  Expected at least one sample, and named fields with known dtype and shape. This is a mistake in "
              "the plugin.");
  }
}

}  // namespace
}  // namespace kdhost
