// SPDX-License-Identifier: MIT
// Batches have the bits of a naive reference, whichever way they were read.
#include "data/loader.hpp"
#include "tensor/aten.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "differences.hpp"
#include "table_dataset.hpp"

namespace kdhost {
namespace {

using test::open_table;
using test::Table;

const std::vector<int64_t> kSamples = {7, 0, 7, 31, 12, 5};

/// Every kind of field: scaled bytes with three channels, one and five, floats, doubles, halves, small labels, a mask.
void fill(Table& table) {
  at::manual_seed(5);
  const auto bytes = [](at::IntArrayRef sizes) { return at::randint(0, 256, sizes, at::kByte); };
  table.fields.clear();
  table.fields.push_back({"input", {bytes({32, 3, 8, 6}), {}, bytes({9, 3, 8, 6})}, 1.0 / 255.0});
  table.fields.push_back({"grey", {bytes({32, 1, 4, 4}), {}, bytes({9, 1, 4, 4})}, 1.0 / 255.0});
  table.fields.push_back({"spectral", {bytes({32, 5, 2, 3}), {}, bytes({9, 5, 2, 3})}, 0.5});
  table.fields.push_back({"short", {at::randint(-9, 9, {32, 4}, at::kShort), {}, at::zeros({9, 4}, at::kShort)}, 0.1});
  table.fields.push_back({"single", {at::randn({32, 2, 2, 2}), {}, at::randn({9, 2, 2, 2})}, 1.0});
  table.fields.push_back({"double", {at::randn({32, 7}, at::kDouble), {}, at::randn({9, 7}, at::kDouble)}, 1.0});
  table.fields.push_back({"half", {at::randn({32, 3}).to(at::kHalf), {}, at::zeros({9, 3}, at::kHalf)}, 1.0});
  table.fields.push_back({"label", {at::randint(0, 10, {32}, at::kByte), {}, at::zeros({9}, at::kByte)}, 1.0});
  table.fields.push_back({"mask", {bytes({32, 2}), {}, bytes({9, 2})}, 1.0});
  table.classes = 10;
}

at::Tensor reference(const test::TableField& field, std::size_t split, const std::vector<int64_t>& samples,
                     at::ScalarType floating) {
  const at::Tensor picked = field.values[split].index_select(0, at::tensor(samples, at::kLong));
  if (field.name == "label") return picked.to(at::kLong);
  if (field.scale != 1.0) return (picked.to(at::kDouble) * field.scale).to(floating);
  return at::isFloatingType(picked.scalar_type()) ? picked.to(floating) : picked;
}

/// The fields of the batch beside the reference.
test::Differences wrong_fields(const Table& table, const Batch& batch, std::size_t split,
                               const std::vector<int64_t>& samples, at::ScalarType floating) {
  if (batch.fields.size() != table.fields.size() + 1) return {std::to_string(batch.fields.size()) + " fields"};
  test::Differences wrong;
  for (std::size_t i = 0; i < table.fields.size(); ++i) {
    const at::Tensor expected = reference(table.fields[i], split, samples, floating);
    const std::string& name = table.fields[i].name;
    const at::Tensor& found = batch.fields[i].value;
    if (batch.fields[i].name != name) wrong.push_back(batch.fields[i].name + " instead of " + name);
    if (found.scalar_type() != expected.scalar_type())
      wrong.push_back("the dtype of " + name);
    else if (!at::equal(found, expected))
      wrong.push_back("the values of " + name);
  }
  if (batch.find("batch.index") == nullptr)
    wrong.push_back("no batch.index");
  else if (!at::equal(*batch.find("index"), at::tensor(samples, at::kLong)))
    wrong.push_back("the values of index");
  return wrong;
}

TEST_CASE("a batch has the bits of a naive reference") {
  for (const bool resident : {true, false})
    for (const at::ScalarType floating : {at::kFloat, at::kDouble})
      for (const bool channels_last : {true, false}) {
        INFO("resident " << resident << ", double " << (floating == at::kDouble) << ", last " << channels_last);
        Table table;
        fill(table);
        table.resident = resident;
        const auto dataset = open_table(table);
        Loader loader(*dataset, at::kCPU, floating, channels_last);
        CHECK(loader.in_memory(Split::train) == resident);
        CHECK(wrong_fields(table, loader.load(Split::train, kSamples), 0, kSamples, floating) == test::kNoDifferences);
        const Batch batch = loader.load(Split::test, std::vector<int64_t>{8});
        CHECK(wrong_fields(table, batch, 2, {8}, floating) == test::kNoDifferences);
        const at::Tensor input = *loader.load(Split::train, kSamples).find("input");
        CHECK(input.is_contiguous(channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous));
      }
}

TEST_CASE("bytes scaled by 1/255 are the correctly rounded quotients") {
  Table table;
  table.fields.push_back({"input", {at::arange(256, at::kByte).reshape({1, 256})}, 1.0 / 255.0});
  const auto dataset = open_table(table);
  Loader loader(*dataset, at::kCPU);
  const at::Tensor input = *loader.load(Split::train, std::vector<int64_t>{0}).find("input");
  CHECK(at::equal(input.flatten(), at::arange(256, at::kFloat) / 255.0f));
}

TEST_CASE("a batch never shares memory with the data set") {
  Table table;
  fill(table);
  const auto dataset = open_table(table);
  Loader loader(*dataset, at::kCPU);
  const at::Tensor before = table.fields[4].values[0].clone();
  Batch batch = loader.load(Split::train, kSamples);
  batch.find("single")->fill_(9.0);
  CHECK(at::equal(table.fields[4].values[0], before));
}

TEST_CASE("batches read ahead are the same as batches read when asked for") {
  Table table;
  fill(table);
  table.resident = false;
  const auto dataset = open_table(table);
  Loader loader(*dataset, at::kCPU);
  std::vector<std::vector<int64_t>> order;
  for (int64_t i = 0; i < 200; ++i) order.push_back({i % 32, (i * 7) % 32, (i * 5 + 1) % 32});
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i + 1 < order.size()) loader.prefetch(Split::train, order[i + 1]);
    CHECK(wrong_fields(table, loader.load(Split::train, order[i]), 0, order[i], at::kFloat) == test::kNoDifferences);
  }
  CHECK(table.fetched.load() >= 200);
}

TEST_CASE("a batch read ahead is read once") {
  Table table;
  fill(table);
  table.resident = false;
  const auto dataset = open_table(table);
  Loader loader(*dataset, at::kCPU);
  loader.prefetch(Split::train, {1, 2});
  loader.prefetch(Split::train, {3});
  loader.load(Split::train, std::vector<int64_t>{1, 2});
  loader.load(Split::train, std::vector<int64_t>{3});
  CHECK(table.fetched.load() == 2);
}

TEST_CASE("a prediction that was wrong costs time and nothing else") {
  Table table;
  fill(table);
  table.resident = false;
  const auto dataset = open_table(table);
  Loader loader(*dataset, at::kCPU);
  loader.prefetch(Split::train, {1, 2, 3});
  CHECK(wrong_fields(table, loader.load(Split::test, std::vector<int64_t>{4}), 2, {4}, at::kFloat) ==
        test::kNoDifferences);
  CHECK(wrong_fields(table, loader.load(Split::train, kSamples), 0, kSamples, at::kFloat) == test::kNoDifferences);
}

TEST_CASE("what fails on the worker thread is thrown by load") {
  Table table;
  fill(table);
  table.resident = false;
  const auto dataset = open_table(table);
  table.failure = "record 3 is damaged";
  Loader loader(*dataset, at::kCPU);
  loader.prefetch(Split::train, {1});
  try {
    loader.load(Split::train, std::vector<int64_t>{1});
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::data);
    CHECK(std::string(error.what()).find("record 3 is damaged") != std::string::npos);
  }
}

TEST_CASE("a loader ends while batches are still being read ahead") {
  Table table;
  fill(table);
  table.resident = false;
  const auto dataset = open_table(table);
  for (int i = 0; i < 50; ++i) {
    Loader loader(*dataset, at::kCPU);
    loader.prefetch(Split::train, {1, 2, 3});
    loader.prefetch(Split::train, {4, 5, 6});
  }
  CHECK(table.fetched.load() <= 100);
}

TEST_CASE("a sample outside its split is refused") {
  Table table;
  fill(table);
  const auto dataset = open_table(table);
  Loader loader(*dataset, at::kCPU);
  CHECK_THROWS_AS(loader.load(Split::train, std::vector<int64_t>{32}), Error);
  CHECK_THROWS_AS(loader.load(Split::train, std::vector<int64_t>{-1}), Error);
  CHECK_THROWS_AS(loader.load(Split::validation, std::vector<int64_t>{0}), Error);
}

TEST_CASE("labelled rows are those of the batch that have a label") {
  Batch batch;
  batch.samples = {3, 0, 2};
  batch.fields.push_back({"index", at::tensor(batch.samples, at::kLong)});
  mark_labelled(batch, {1, 0, 0, 1});
  CHECK(at::equal(batch.labelled_rows, at::tensor(std::vector<int64_t>{0, 1}, at::kLong)));
  mark_labelled(batch, {0, 1, 0, 0});
  CHECK(batch.labelled_rows.defined());
  CHECK(batch.labelled_rows.numel() == 0);
  mark_labelled(batch, {1, 0, 1, 1});
  CHECK_FALSE(batch.labelled_rows.defined());
}

TEST_CASE("the first rows of a batch are views with their keys and labels") {
  Batch batch;
  batch.split = Split::validation;
  batch.samples = {3, 0, 2};
  batch.keys = {30, 10, 20};
  batch.fields.push_back({"input", at::arange(6, at::kFloat).view({3, 2})});
  batch.labelled_rows = at::tensor(std::vector<int64_t>{1, 2}, at::kLong);

  const Batch two = first_rows(batch, 2);
  CHECK(two.split == Split::validation);
  CHECK(two.samples == std::vector<int64_t>{3, 0});
  CHECK(two.keys == std::vector<uint64_t>{30, 10});
  CHECK(at::equal(*two.find("input"), at::arange(4, at::kFloat).view({2, 2})));
  CHECK(two.find("input")->const_data_ptr() == batch.find("input")->const_data_ptr());
  CHECK(at::equal(two.labelled_rows, at::tensor(std::vector<int64_t>{1}, at::kLong)));
  CHECK(first_rows(batch, 5).size() == 3);
}

}  // namespace
}  // namespace kdhost
