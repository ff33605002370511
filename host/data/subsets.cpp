// SPDX-License-Identifier: MIT
// Drawing validation, train and labels; see subsets.hpp.
//
// The balanced order: the samples are shuffled; the r-th sample of a class of n gets the place (2r + 1) / 2n, and the
// samples are sorted by place (ties as shuffled). Its first k samples hold about k * n / N of each class: Webster's
// method of apportionment. Unlike largest remainders it never takes a sample away from a class when k grows, which is
// what makes smaller numbers subsets of larger ones.
#include "data/subsets.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string>

#include "base/stream.hpp"
#include "base/text.hpp"
#include "tensor/aten.hpp"

namespace kdhost {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{16} << 20;

const char* split_name(Split split) {
  return split == Split::train ? "training" : split == Split::validation ? "validation" : "test";
}

std::vector<int64_t> widened(const at::Tensor& labels) {
  const at::Tensor wide = labels.reshape({-1}).to(at::kLong).contiguous();
  const auto* values = wide.const_data_ptr<int64_t>();
  return {values, values + wide.numel()};
}

/// Reads the labels through fetch, which copies every field: in pieces, so that memory stays bounded.
std::vector<int64_t> fetched_labels(const DatasetInstance& dataset, Split split, std::size_t label) {
  const DatasetInfo& info = dataset.info();
  const int64_t count = dataset.samples(split);
  std::size_t bytes = 0;
  for (const FieldInfo& field : info.fields) bytes += field.bytes;
  const auto piece = static_cast<int64_t>(std::clamp<std::size_t>(kPieceBytes / bytes, 1, 65536));
  std::vector<at::Tensor> buffers;
  std::vector<void*> pointers;
  for (const FieldInfo& field : info.fields) {
    buffers.push_back(at::empty({std::min(piece, count), field.elements}, at::TensorOptions(field.dtype)));
    pointers.push_back(buffers.back().mutable_data_ptr());
  }
  std::vector<int64_t> labels;
  labels.reserve(static_cast<std::size_t>(count));
  for (int64_t begin = 0; begin < count; begin += piece) {
    std::vector<int64_t> index(static_cast<std::size_t>(std::min(piece, count - begin)));
    std::iota(index.begin(), index.end(), begin);
    dataset.fetch(split, index, pointers);
    const auto read = widened(buffers[label].narrow(0, 0, static_cast<int64_t>(index.size())));
    labels.insert(labels.end(), read.begin(), read.end());
  }
  return labels;
}

using Labels = std::optional<std::vector<int64_t>>;

std::vector<int64_t> balanced_order(std::vector<int64_t> samples, const Labels& labels, uint64_t seed,
                                    std::string_view purpose) {
  Stream(seed, purpose).shuffle(std::span<int64_t>(samples));
  if (!labels) return samples;
  struct Placed {
    int64_t sample, rank, of;
  };
  std::map<int64_t, int64_t> size_of;
  for (const int64_t sample : samples) ++size_of[(*labels)[static_cast<std::size_t>(sample)]];
  std::map<int64_t, int64_t> seen;
  std::vector<Placed> placed;
  placed.reserve(samples.size());
  for (const int64_t sample : samples) {
    const int64_t label = (*labels)[static_cast<std::size_t>(sample)];
    placed.push_back({sample, seen[label]++, size_of[label]});
  }
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return (2 * a.rank + 1) * b.of < (2 * b.rank + 1) * a.of;  // fractions compared exactly
  });
  for (std::size_t i = 0; i < placed.size(); ++i) samples[i] = placed[i].sample;
  return samples;
}

/// `what` names the key itself.
[[noreturn]] void refuse(const Place& place, std::string what, std::string expected, std::string mend) {
  throw Error(Exit::experiment, Message{.place = place,
                                        .where = {},
                                        .what = std::move(what),
                                        .expected = std::move(expected),
                                        .mend = std::move(mend)});
}

void check_number(const Integer& number, const char* key, int64_t smallest, int64_t largest, const std::string& of) {
  if (number.value >= smallest && number.value <= largest) return;
  refuse(number.place, std::string("data.") + key + " = " + std::to_string(number.value) + ", but " + of + ".",
         "Expected " + std::to_string(smallest) + " to " + std::to_string(largest) + ".",
         std::string("Choose a ") + (number.value < smallest ? "larger" : "smaller") + " number.");
}

/// The first `count` of an order, ascending.
std::vector<int64_t> first(const std::vector<int64_t>& order, int64_t count) {
  std::vector<int64_t> list(order.begin(), order.begin() + count);
  std::sort(list.begin(), list.end());
  return list;
}

/// Takes the samples of omitted classes out of `samples`, after a check that the classes are there.
void leave_out(std::vector<int64_t>& samples, const std::vector<Integer>& omitted, const DatasetInstance& dataset,
               const Labels& labels) {
  const std::string id = kdhost::quoted(std::string(dataset.id()));
  if (!labels) {
    refuse(omitted.front().place, "data.omit_classes is given, but the samples of " + id + " have no classes.",
           "Expected a data set with one integer label a sample.", "Remove the line.");
  }
  const int64_t classes = dataset.info().classes;
  std::set<int64_t> without;
  for (const Integer& one : omitted) {
    const bool known = classes > 0 ? one.value >= 0 && one.value < classes
                                   : std::find(labels->begin(), labels->end(), one.value) != labels->end();
    if (!known) {
      refuse(one.place,
             "data.omit_classes names class " + std::to_string(one.value) + ", which " + id + " does not have.",
             classes > 0 ? "Expected 0 to " + std::to_string(classes - 1) + "." : "Expected a label that occurs in it.",
             "");
    }
    without.insert(one.value);
  }
  std::erase_if(samples, [&](int64_t i) { return without.count((*labels)[static_cast<std::size_t>(i)]) != 0; });
  if (samples.empty()) {
    refuse(omitted.front().place, "data.omit_classes leaves no training sample.",
           "Expected at least one class to stay.", "Remove a class from the list.");
  }
}

}  // namespace

std::optional<std::vector<int64_t>> class_labels(const DatasetInstance& dataset, Split split) {
  const DatasetInfo& info = dataset.info();
  const std::size_t field = info.field("label");
  if (field == info.fields.size() || dataset.samples(split) == 0) return std::nullopt;
  const FieldInfo& label = info.fields[field];
  if (label.elements != 1 || label.scale != 1.0 || !at::isIntegralType(label.dtype, /*includeBool=*/true))
    return std::nullopt;
  const at::Tensor resident = dataset.resident(split, field);
  std::vector<int64_t> labels = resident.defined() ? widened(resident) : fetched_labels(dataset, split, field);
  if (info.classes > 0) {
    const auto bad =
        std::find_if(labels.begin(), labels.end(), [&](int64_t value) { return value < 0 || value >= info.classes; });
    if (bad != labels.end())
      throw Error(Exit::data,
                  Message{.place = dataset.origin().place,
                          .where = dataset.origin().name,
                          .what = "sample " + std::to_string(bad - labels.begin()) + " of the " + split_name(split) +
                                  " split has label " + std::to_string(*bad) + ".",
                          .expected = "Expected 0 to " + std::to_string(info.classes - 1) + ", the " +
                                      std::to_string(info.classes) + " classes of '" + std::string(dataset.id()) + "'.",
                          .mend = "The files are damaged or belong to another data set: get them again."});
  }
  return labels;
}

Subsets make_subsets(const DatasetInstance& dataset, const DataSettings& settings) {
  const int64_t count = dataset.samples(Split::train);
  const int64_t own_validation = dataset.samples(Split::validation);
  const auto seed = static_cast<uint64_t>(settings.split_seed.value);
  Subsets subsets;
  if (own_validation > 0 && settings.validation.value != 0)
    refuse(settings.validation.place,
           "data.validation = " + std::to_string(settings.validation.value) + ", but '" + std::string(dataset.id()) +
               "' has a validation split of its own (" + with_commas(own_validation) + " samples).",
           "Expected no data.validation with this data set.", "Remove the line.");
  if (count == 0)
    throw Error(Exit::data, Message{.place = dataset.origin().place,
                                    .where = dataset.origin().name,
                                    .what = "'" + std::string(dataset.id()) + "' has no training samples.",
                                    .expected = "Expected at least one.",
                                    .mend = "Choose another data set."});

  const bool omits = settings.omit_classes && !settings.omit_classes->empty();
  const bool drawn = settings.validation.value != 0 || settings.train || settings.labels || omits;
  // Labels in memory cost nothing to check; a reader that decodes pictures is asked only where classes matter.
  const std::size_t field = dataset.info().field("label");
  const bool at_hand = field < dataset.info().fields.size() && dataset.resident(Split::train, field).defined();
  const Labels labels = drawn || at_hand ? class_labels(dataset, Split::train) : std::nullopt;

  std::vector<int64_t> rest(static_cast<std::size_t>(count));
  std::iota(rest.begin(), rest.end(), int64_t{0});
  if (own_validation > 0) {
    subsets.validation_split = Split::validation;
    subsets.validation.resize(static_cast<std::size_t>(own_validation));
    std::iota(subsets.validation.begin(), subsets.validation.end(), int64_t{0});
  } else if (settings.validation.value != 0) {
    check_number(settings.validation, "validation", 0, count - 1,
                 "the training split has " + std::to_string(count) + " samples and training needs at least one");
    std::vector<int64_t> order = balanced_order(std::move(rest), labels, seed, "split.validation");
    subsets.validation = first(order, settings.validation.value);
    rest.assign(order.begin() + settings.validation.value, order.end());
    std::sort(rest.begin(), rest.end());
  }

  if (omits) leave_out(rest, *settings.omit_classes, dataset, labels);

  const auto left = static_cast<int64_t>(rest.size());
  if (settings.train) {
    std::vector<std::string> taken;
    if (subsets.validation_split == Split::train && !subsets.validation.empty()) taken.emplace_back("data.validation");
    if (omits) taken.emplace_back("data.omit_classes");
    check_number(
        *settings.train, "train", 1, left,
        std::to_string(left) + " training samples are left" + (taken.empty() ? "" : " after " + join(taken, " and ")));
  }
  const int64_t train = settings.train ? settings.train->value : left;
  if (settings.labels)
    check_number(*settings.labels, "labels", 0, train, std::to_string(train) + " samples are used for training");
  const int64_t labelled = settings.labels ? settings.labels->value : train;

  if (settings.train || settings.labels) rest = balanced_order(std::move(rest), labels, seed, "split.train");
  subsets.train = first(rest, train);
  subsets.labelled = first(rest, labelled);
  subsets.has_label.assign(static_cast<std::size_t>(count), 0);
  for (const int64_t sample : subsets.labelled) subsets.has_label[static_cast<std::size_t>(sample)] = 1;
  if (!labels) return subsets;
  subsets.classes.assign(static_cast<std::size_t>(count), -1);
  for (const int64_t sample : subsets.labelled) {
    const auto at = static_cast<std::size_t>(sample);
    subsets.classes[at] = (*labels)[at];
  }
  return subsets;
}

}  // namespace kdhost
