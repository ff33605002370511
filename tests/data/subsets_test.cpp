// SPDX-License-Identifier: MIT
// The split is balanced, nested and stable; numbers that cannot be are refused at their place.
#include "data/subsets.hpp"
#include "tensor/aten.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "table_dataset.hpp"

namespace kdhost {
namespace {

using test::fill_labels;
using test::open_table;
using test::Table;

/// 600 samples of class 0, 300 of class 1, 100 of class 2, mixed.
std::vector<int64_t> uneven_labels() {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 1000; ++i) labels.push_back(i % 10 < 6 ? 0 : i % 10 < 9 ? 1 : 2);
  return labels;
}

std::map<int64_t, int> count_classes(const std::vector<int64_t>& samples) {
  const auto labels = uneven_labels();
  std::map<int64_t, int> counts;
  for (const int64_t sample : samples) ++counts[labels[static_cast<std::size_t>(sample)]];
  return counts;
}

bool within(const std::vector<int64_t>& small, const std::vector<int64_t>& large) {
  return std::includes(large.begin(), large.end(), small.begin(), small.end());
}

DataSettings settings(int64_t validation, std::optional<int64_t> train = {}, std::optional<int64_t> labels = {},
                      int64_t seed = 0) {
  DataSettings made;
  made.validation = Integer(validation, {"e.toml", 6, 14});
  if (train) made.train = Integer(*train, {"e.toml", 7, 9});
  if (labels) made.labels = Integer(*labels, {"e.toml", 8, 10});
  made.split_seed = seed;
  return made;
}

DataSettings without(std::vector<int64_t> classes, DataSettings made) {
  made.omit_classes.emplace();
  for (const int64_t one : classes) made.omit_classes->emplace_back(one, Place{"e.toml", 9, 16});
  return made;
}

std::string refusal(const DatasetInstance& dataset, const DataSettings& made, Exit exit) {
  try {
    make_subsets(dataset, made);
  } catch (const Error& error) {
    CHECK(error.exit() == exit);
    return error.what();
  }
  return "accepted";
}

TEST_CASE("validation, train and labels follow the proportions of the classes") {
  Table table;
  fill_labels(table, uneven_labels(), 3);
  const auto dataset = open_table(table);
  const Subsets subsets = make_subsets(*dataset, settings(200, 100, 20));
  CHECK(count_classes(subsets.validation) == std::map<int64_t, int>{{0, 120}, {1, 60}, {2, 20}});
  CHECK(count_classes(subsets.train) == std::map<int64_t, int>{{0, 60}, {1, 30}, {2, 10}});
  CHECK(count_classes(subsets.labelled) == std::map<int64_t, int>{{0, 12}, {1, 6}, {2, 2}});
  CHECK(subsets.validation_split == Split::train);
  CHECK(std::is_sorted(subsets.train.begin(), subsets.train.end()));
  std::vector<int64_t> both;
  std::set_intersection(subsets.train.begin(), subsets.train.end(), subsets.validation.begin(),
                        subsets.validation.end(), std::back_inserter(both));
  CHECK(both.empty());
  CHECK_FALSE(subsets.all_labelled());
}

TEST_CASE("labels lie within train, and smaller numbers give subsets of larger ones") {
  Table table;
  fill_labels(table, uneven_labels(), 3);
  const auto dataset = open_table(table);
  std::vector<int64_t> before;
  for (int64_t labels = 0; labels <= 60; ++labels) {
    const Subsets subsets = make_subsets(*dataset, settings(100, 60, labels));
    CHECK(subsets.labelled.size() == static_cast<std::size_t>(labels));
    CHECK(within(before, subsets.labelled));
    CHECK(within(subsets.labelled, subsets.train));
    before = subsets.labelled;
  }
  CHECK(within(make_subsets(*dataset, settings(100, 50)).train, make_subsets(*dataset, settings(100, 51)).train));
  CHECK(within(make_subsets(*dataset, settings(50)).validation, make_subsets(*dataset, settings(51)).validation));
}

TEST_CASE("the labelled samples do not depend on how many others are used") {
  Table table;
  fill_labels(table, uneven_labels(), 3);
  const auto dataset = open_table(table);
  CHECK(make_subsets(*dataset, settings(100, {}, 30)).labelled ==
        make_subsets(*dataset, settings(100, 80, 30)).labelled);
}

TEST_CASE("the split is a function of data set and split_seed") {
  Table table;
  fill_labels(table, uneven_labels(), 3);
  const auto dataset = open_table(table);
  const auto validation = make_subsets(*dataset, settings(100)).validation;
  CHECK(make_subsets(*dataset, settings(100, 40, 10)).validation == validation);
  CHECK(make_subsets(*dataset, settings(100, {}, {}, 1)).validation != validation);
  Table read;
  fill_labels(read, uneven_labels(), 3);
  read.resident = false;
  const auto reader = open_table(read);
  CHECK(make_subsets(*reader, settings(100)).validation == validation);
}

TEST_CASE("has_label marks exactly the labelled samples") {
  Table table;
  fill_labels(table, uneven_labels(), 3);
  const auto dataset = open_table(table);
  const Subsets some = make_subsets(*dataset, settings(100, 60, 20));
  CHECK(some.has_label.size() == 1000);
  CHECK(std::count(some.has_label.begin(), some.has_label.end(), 1) == 20);
  for (const int64_t sample : some.labelled) CHECK(some.has_label[static_cast<std::size_t>(sample)] == 1);
  const Subsets all = make_subsets(*dataset, settings(0));
  CHECK(all.train.size() == 1000);
  CHECK(all.all_labelled());
  CHECK(all.validation.empty());
}

TEST_CASE("classes are told of the labelled samples alone, -1 of the others") {
  Table table;
  fill_labels(table, uneven_labels(), 3);
  const auto dataset = open_table(table);
  const Subsets some = make_subsets(*dataset, settings(100, 60, 20));
  const auto labels = class_labels(*dataset, Split::train);
  REQUIRE(some.classes.size() == 1000);
  for (std::size_t i = 0; i < some.classes.size(); ++i)
    CHECK(some.classes[i] == (some.has_label[i] != 0 ? labels->at(i) : -1));
  // A reader whose labels are not in memory is not asked for them where nothing is drawn.
  table.resident = false;
  const auto reader = open_table(table);
  CHECK(make_subsets(*reader, settings(0)).classes.empty());
  CHECK(make_subsets(*reader, settings(100)).classes.size() == 1000);
}

TEST_CASE("omitted classes are left out of training, and validation stays as it was") {
  Table table;
  fill_labels(table, uneven_labels(), 3);
  const auto dataset = open_table(table);
  const Subsets all = make_subsets(*dataset, settings(200));
  const Subsets some = make_subsets(*dataset, without({1}, settings(200)));
  CHECK(some.validation == all.validation);
  CHECK(count_classes(all.train) == std::map<int64_t, int>{{0, 480}, {1, 240}, {2, 80}});
  CHECK(count_classes(some.train) == std::map<int64_t, int>{{0, 480}, {2, 80}});
  CHECK(within(some.train, all.train));
  CHECK(some.labelled == some.train);
  CHECK(count_classes(make_subsets(*dataset, without({0, 2}, settings(0))).train) == std::map<int64_t, int>{{1, 300}});
  CHECK(make_subsets(*dataset, without({}, settings(200))).train == all.train);

  const Subsets few = make_subsets(*dataset, without({1}, settings(200, 70, 14)));
  CHECK(count_classes(few.train) == std::map<int64_t, int>{{0, 60}, {2, 10}});
  CHECK(count_classes(few.labelled) == std::map<int64_t, int>{{0, 12}, {2, 2}});

  Table read;
  fill_labels(read, uneven_labels(), 3);
  read.resident = false;
  const auto reader = open_table(read);
  CHECK(make_subsets(*reader, without({1}, settings(0))).train.size() == 700);
}

TEST_CASE("a data set that does not say how many classes it has loses those whose label occurs") {
  Table table;
  fill_labels(table, uneven_labels(), 0);
  const auto dataset = open_table(table);
  CHECK(make_subsets(*dataset, without({1}, settings(0))).train.size() == 700);
  CHECK(refusal(*dataset, without({3}, settings(0)), Exit::experiment) ==
        "e.toml:9:16: data.omit_classes names class 3, which 'test.table' does not have.\n"
        "  Expected a label that occurs in it.");
}

TEST_CASE("classes that cannot be omitted are refused at their place") {
  Table table;
  fill_labels(table, uneven_labels(), 3);
  const auto dataset = open_table(table);
  CHECK(refusal(*dataset, without({1, 3}, settings(0)), Exit::experiment) ==
        "e.toml:9:16: data.omit_classes names class 3, which 'test.table' does not have.\n"
        "  Expected 0 to 2.");
  CHECK(refusal(*dataset, without({0, 1, 2}, settings(100)), Exit::experiment) ==
        "e.toml:9:16: data.omit_classes leaves no training sample.\n"
        "  Expected at least one class to stay. Remove a class from the list.");
  CHECK(refusal(*dataset, without({1}, settings(100, 631)), Exit::experiment) ==
        "e.toml:7:9: data.train = 631, but 630 training samples are left after data.validation and data.omit_classes.\n"
        "  Expected 1 to 630. Choose a smaller number.");
  CHECK(refusal(*dataset, without({1}, settings(0, 701)), Exit::experiment) ==
        "e.toml:7:9: data.train = 701, but 700 training samples are left after data.omit_classes.\n"
        "  Expected 1 to 700. Choose a smaller number.");
  Table plain;
  plain.fields.push_back({"input", {at::zeros({50, 2})}, 1.0});
  const auto unlabelled = open_table(plain);
  CHECK(refusal(*unlabelled, without({1}, settings(0)), Exit::experiment) ==
        "e.toml:9:16: data.omit_classes is given, but the samples of 'test.table' have no classes.\n"
        "  Expected a data set with one integer label a sample. Remove the line.");
}

TEST_CASE("data without integer labels are drawn plainly") {
  Table table;
  table.fields.push_back({"input", {at::zeros({50, 2})}, 1.0});
  const auto dataset = open_table(table);
  const Subsets subsets = make_subsets(*dataset, settings(10, 20));
  CHECK(subsets.validation.size() == 10);
  CHECK(subsets.train.size() == 20);
}

TEST_CASE("a data set with its own validation split is used as it is and refuses data.validation") {
  Table table;
  fill_labels(table, uneven_labels(), 3);
  table.fields[0].values[1] = at::zeros({40, 1});
  table.fields[1].values[1] = at::zeros({40}, at::kLong);
  const auto dataset = open_table(table);
  const Subsets subsets = make_subsets(*dataset, settings(0));
  CHECK(subsets.validation_split == Split::validation);
  CHECK(subsets.validation.size() == 40);
  CHECK(subsets.train.size() == 1000);
  CHECK(refusal(*dataset, settings(5), Exit::experiment) ==
        "e.toml:6:14: data.validation = 5, but 'test.table' has a validation split of its own (40 samples).\n"
        "  Expected no data.validation with this data set. Remove the line.");
}

TEST_CASE("numbers larger than the data are refused with what there is") {
  Table table;
  fill_labels(table, uneven_labels(), 3);
  const auto dataset = open_table(table);
  CHECK(
      refusal(*dataset, settings(1000), Exit::experiment) ==
      "e.toml:6:14: data.validation = 1000, but the training split has 1000 samples and training needs at least one.\n"
      "  Expected 0 to 999. Choose a smaller number.");
  CHECK(refusal(*dataset, settings(100, 901), Exit::experiment) ==
        "e.toml:7:9: data.train = 901, but 900 training samples are left after data.validation.\n"
        "  Expected 1 to 900. Choose a smaller number.");
  CHECK(refusal(*dataset, settings(100, 50, 51), Exit::experiment) ==
        "e.toml:8:10: data.labels = 51, but 50 samples are used for training.\n"
        "  Expected 0 to 50. Choose a smaller number.");
}

TEST_CASE("a label outside the classes is found before training") {
  Table table;
  auto labels = uneven_labels();
  labels[17] = 3;
  fill_labels(table, labels, 3);
  const auto dataset = open_table(table);
  CHECK(
      refusal(*dataset, settings(0), Exit::data) ==
      "experiment.toml:4:1: data: sample 17 of the training split has label 3.\n"
      "  Expected 0 to 2, the 3 classes of 'test.table'. The files are damaged or belong to another data set: get them "
      "again.");
}

}  // namespace
}  // namespace kdhost
