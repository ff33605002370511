// SPDX-License-Identifier: MIT
// Opening a data set, checking what it says about itself, and fetching samples; see dataset.hpp.
#include "tensor/dataset.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "base/text.hpp"
#include "tensor/aten.hpp"

namespace kdhost {
namespace {

constexpr uint64_t kMaxFields = 1000;
constexpr uint64_t kMaxFieldRank = 16;
constexpr int64_t kMaxSampleElements = int64_t{1} << 32;
// kdh_field as ABI 1.0 had it; a shorter stride cannot be one.
constexpr uint64_t kFieldSize = offsetof(kdh_field, scale) + sizeof(kdh_field::scale);

const char* split_name(Split split) {
  return split == Split::train ? "training" : split == Split::validation ? "validation" : "test";
}

// Text of what is wrong with a field, or nothing.
std::string field_problem(const kdh_field& given, FieldInfo& field) {
  field.name = std::string(view(given.name));
  if (field.name.empty()) return "a field has no name";
  const std::string where = "field '" + field.name + "' ";
  if (!known_dtype(given.dtype)) return where + "has unknown dtype " + std::to_string(given.dtype);
  if (given.rank > kMaxFieldRank || (given.rank > 0 && given.sizes == nullptr))
    return where + "has rank " + std::to_string(given.rank);
  if (!std::isfinite(given.scale) || given.scale <= 0.0) return where + "has scale " + shortest(given.scale);
  field.dtype = static_cast<at::ScalarType>(given.dtype);
  field.sizes.assign(given.sizes, given.sizes + given.rank);
  field.scale = given.scale;
  field.elements = 1;
  for (const int64_t size : field.sizes) {
    if (size <= 0 || field.elements > kMaxSampleElements / size)
      return where + "has sample shape " + shape_text(field.sizes);
    field.elements *= size;
  }
  field.bytes = static_cast<std::size_t>(field.elements) * c10::elementSize(field.dtype);
  return {};
}

std::string copy_info(const kdh_dataset_info& given, DatasetInfo& info) {
  int64_t total = 0;
  for (std::size_t split = 0; split < 3; ++split) {
    info.samples[split] = given.samples[split];
    if (given.samples[split] < 0) return "a split has " + std::to_string(given.samples[split]) + " samples";
    total = std::max(total, given.samples[split]);
  }
  if (total == 0) return "all splits are empty";
  if (given.classes < 0 || given.classes > 100'000'000) return std::to_string(given.classes) + " classes";
  info.classes = given.classes;
  if (given.fields == nullptr || given.n_fields == 0 || given.n_fields > kMaxFields || given.field_size < kFieldSize)
    return std::to_string(given.n_fields) + " fields of " + std::to_string(given.field_size) + " bytes";
  const auto* bytes = reinterpret_cast<const std::byte*>(given.fields);
  for (uint64_t i = 0; i < given.n_fields; ++i) {
    kdh_field field{};
    std::memcpy(&field, bytes + i * given.field_size, std::min<std::size_t>(sizeof field, given.field_size));
    FieldInfo& made = info.fields.emplace_back();
    if (std::string problem = field_problem(field, made); !problem.empty()) return problem;
    if (info.field(made.name) + 1 != info.fields.size()) return "two fields are named '" + made.name + "'";
  }
  if (given.class_names != nullptr)
    for (int64_t i = 0; i < given.classes; ++i) info.class_names.emplace_back(view(given.class_names[i]));
  if (given.files != nullptr)
    for (uint64_t i = 0; i < given.n_files; ++i) info.files.emplace_back(view(given.files[i]));
  return {};
}

}  // namespace

std::size_t DatasetInfo::field(std::string_view name) const {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const FieldInfo& field) { return field.name == name; });
  return static_cast<std::size_t>(found - fields.begin());
}

DatasetInstance::DatasetInstance(Origin origin, Creation creation)
    : Instance(KDH_KIND_DATASET, std::move(origin), std::move(creation)),
      table_(static_cast<const kdh_dataset*>(vtable())) {
  if (!KDHOST_OFFERS(table_, info) || !KDHOST_OFFERS(table_, fetch))
    throw broken("create", "the table of functions has no 'info' or no 'fetch'", "a complete table");
  kdh_dataset_info given{};
  given.struct_size = sizeof given;
  invoke("info", [&] { return table_->info(self(), &given); });
  if (std::string problem = copy_info(given, info_); !problem.empty())
    throw broken("info", "described the data by " + problem,
                 "at least one sample, and named fields with known dtype and shape");
}

void DatasetInstance::fetch(Split split, std::span<const int64_t> index, std::span<void* const> out) const {
  const int64_t limit = samples(split);
  const auto outside = std::find_if(index.begin(), index.end(), [&](int64_t i) { return i < 0 || i >= limit; });
  if (outside != index.end() || out.size() != info_.fields.size())
    throw Error(
        Exit::internal,
        Message{.where = origin().name,
                .what = outside != index.end()
                            ? "sample " + std::to_string(*outside) + " of the " + split_name(split) + " split."
                            : std::to_string(out.size()) + " buffers for " + std::to_string(info_.fields.size()) +
                                  " fields.",
                .expected = "Expected samples 0.." + std::to_string(limit - 1) + " and one buffer for each field."});
  invoke("fetch",
         [&] { return table_->fetch(self(), static_cast<uint32_t>(split), index.data(), index.size(), out.data()); });
}

at::Tensor DatasetInstance::resident(Split split, std::size_t field) const {
  if (!KDHOST_OFFERS(table_, resident) || samples(split) == 0) return {};
  const void* memory = nullptr;
  invoke("resident", [&] {
    memory = table_->resident(self(), static_cast<uint32_t>(split), field);
    return KDH_OK;
  });
  if (memory == nullptr) return {};
  const FieldInfo& info = info_.fields.at(field);
  std::vector<int64_t> sizes{samples(split)};
  sizes.insert(sizes.end(), info.sizes.begin(), info.sizes.end());
  return at::from_blob(const_cast<void*>(memory), sizes, at::TensorOptions(info.dtype));
}

}  // namespace kdhost
