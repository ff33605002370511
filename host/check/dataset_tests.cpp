// SPDX-License-Identifier: MIT
// Level 5 of the validator, data sets: the same samples each time, from any thread, in the range they promise.

#include <algorithm>
#include <thread>

#include "check/caller.hpp"
#include "check/suite.hpp"
#include "tensor/aten.hpp"
#include "tensor/dataset.hpp"

namespace kdhost::check {
namespace {

constexpr std::int64_t kLooked = 256;

std::unique_ptr<DatasetInstance> make_dataset(Subject& subject, const ComponentInfo& info) {
  auto made = std::make_unique<DatasetInstance>(origin_of(subject, info),
                                                creation_of(subject, info, callable(subject, info).parameters, {}));
  note_call("fetch", info);
  return made;
}

std::vector<Split> splits_of(const DatasetInstance& data) {
  std::vector<Split> splits;
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    if (data.samples(split) > 0) splits.push_back(split);
  }
  return splits;
}

std::string split_words(Split split) {
  return split == Split::train ? "training" : split == Split::validation ? "validation" : "test";
}

// Samples spread over the split, the first and the last among them.
std::vector<std::int64_t> spread_index(std::int64_t samples) {
  std::vector<std::int64_t> index;
  const std::int64_t count = std::min(samples, kLooked);
  for (std::int64_t i = 0; i < count; ++i) index.push_back(count == 1 ? 0 : i * (samples - 1) / (count - 1));
  return index;
}

std::vector<at::Tensor> fetch_fields(const DatasetInstance& data, Split split, const std::vector<std::int64_t>& index) {
  std::vector<at::Tensor> fields;
  std::vector<void*> out;
  for (const FieldInfo& field : data.info().fields) {
    std::vector<std::int64_t> sizes{static_cast<std::int64_t>(index.size())};
    sizes.insert(sizes.end(), field.sizes.begin(), field.sizes.end());
    fields.push_back(at::zeros(sizes, field.dtype));
    out.push_back(fields.back().mutable_data_ptr());
  }
  data.fetch(split, index, out);
  return fields;
}

bool equal_fields(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const at::Tensor& x, const at::Tensor& y) { return same_bits(x, y); });
}

Finding test_data_same(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<DatasetInstance> first = make_dataset(subject, *info);
  const std::unique_ptr<DatasetInstance> second = make_dataset(subject, *info);
  for (const Split split : splits_of(*first)) {
    const std::vector<std::int64_t> index = spread_index(first->samples(split));
    if (first->samples(split) == second->samples(split) &&
        equal_fields(fetch_fields(*first, split, index), fetch_fields(*second, split, index))) {
      continue;
    }
    return failed("gives other " + split_words(split) + " samples when it is opened again.",
                  "Make samples from files, parameters and a fixed seed only; random changes belong in transforms.");
  }
  return passed();
}

Finding test_data_order(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<DatasetInstance> data = make_dataset(subject, *info);
  for (const Split split : splits_of(*data)) {
    const std::vector<std::int64_t> index = spread_index(data->samples(split));
    const std::vector<at::Tensor> together = fetch_fields(*data, split, index);
    for (const std::size_t at : {index.size() - 1, std::size_t{0}}) {
      const std::vector<at::Tensor> alone = fetch_fields(*data, split, {index[at]});
      for (std::size_t f = 0; f < alone.size(); ++f) {
        if (same_bits(together[f].select(0, static_cast<std::int64_t>(at)), alone[f].select(0, 0))) continue;
        return failed("gives sample " + std::to_string(index[at]) + " of the " + split_words(split) +
                          " split differently alone than among others.",
                      "Write sample index[i] to place i of each buffer, whatever the order.");
      }
    }
    fetch_fields(*data, split, {});
  }
  return passed();
}

Finding test_data_labels(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<DatasetInstance> data = make_dataset(subject, *info);
  const std::size_t label = data->info().field("label");
  if (label == data->info().fields.size() || data->info().classes == 0) return passed("has no class labels.");
  for (const Split split : splits_of(*data)) {
    const std::vector<at::Tensor> fields = fetch_fields(*data, split, spread_index(data->samples(split)));
    if (at::isFloatingType(fields[label].scalar_type())) continue;
    const at::Tensor labels = fields[label].to(at::kLong);
    const std::int64_t low = labels.min().item<std::int64_t>();
    const std::int64_t high = labels.max().item<std::int64_t>();
    if (low >= 0 && high < data->info().classes) continue;
    return failed("has the label " + std::to_string(low < 0 ? low : high) + " in its " + split_words(split) +
                      " split, and says that it has " + std::to_string(data->info().classes) + " classes.",
                  "Count classes from 0, and state how many there are.");
  }
  return passed();
}

Finding test_data_finite(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<DatasetInstance> data = make_dataset(subject, *info);
  for (const Split split : splits_of(*data)) {
    const std::vector<at::Tensor> fields = fetch_fields(*data, split, spread_index(data->samples(split)));
    for (std::size_t f = 0; f < fields.size(); ++f) {
      if (all_finite(fields[f])) continue;
      return failed("has numbers in field '" + data->info().fields[f].name + "' that are not finite.",
                    "Replace or leave out such samples; training would stop at them.");
    }
  }
  return passed();
}

Finding test_data_parallel(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<DatasetInstance> data = make_dataset(subject, *info);
  for (const Split split : splits_of(*data)) {
    const std::vector<std::int64_t> index = spread_index(data->samples(split));
    const std::vector<at::Tensor> alone = fetch_fields(*data, split, index);
    constexpr std::size_t kReaders = 4;
    std::array<std::string, kReaders> faults;
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < kReaders; ++t) {
      threads.emplace_back([&, t] {
        try {
          for (int round = 0; round < 8; ++round) {
            if (!equal_fields(alone, fetch_fields(*data, split, index))) faults[t] = "gives other samples";
          }
        } catch (const Error& error) {
          faults[t] = "fails (" + printable(error.messages().front().what, 300) + ")";
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::string& fault : faults) {
      if (fault.empty()) continue;
      return failed(fault + " when several threads fetch at once.",
                    "Let fetch read only what the constructor prepared, or guard what it changes with a mutex.");
    }
  }
  return passed();
}

Finding test_data_resident(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<DatasetInstance> data = make_dataset(subject, *info);
  for (const Split split : splits_of(*data)) {
    const std::vector<std::int64_t> index = spread_index(data->samples(split));
    const std::vector<at::Tensor> fetched = fetch_fields(*data, split, index);
    for (std::size_t f = 0; f < fetched.size(); ++f) {
      const at::Tensor all = data->resident(split, f);
      if (!all.defined() || same_bits(all.index_select(0, at::tensor(index)), fetched[f])) continue;
      return failed(
          "has other samples in memory (resident) than it fetches, in field '" + data->info().fields[f].name + "'.",
          "Let both give the same, or return null from resident.");
    }
  }
  return passed();
}

}  // namespace

void add_dataset_tests(std::vector<Test>& tests) {
  const auto add = [&](const char* name, Finding (*run)(Subject&, const ComponentInfo*)) {
    tests.push_back({.level = 5, .name = name, .kinds = {KDH_KIND_DATASET}, .needs = {"call.works"}, .run = run});
  };
  add("dataset.same", test_data_same);
  add("dataset.order", test_data_order);
  add("dataset.labels", test_data_labels);
  add("dataset.finite", test_data_finite);
  add("dataset.parallel", test_data_parallel);
  add("dataset.resident", test_data_resident);
}

}  // namespace kdhost::check
