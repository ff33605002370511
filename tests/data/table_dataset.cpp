// SPDX-License-Identifier: MIT
// The C functions of the data set for tests; see table_dataset.hpp.
#include "table_dataset.hpp"
#include "tensor/aten.hpp"

#include <cstring>

#include "tensor/host_table.hpp"

namespace kdhost::test {
namespace {

Table* opening = nullptr;  // what the next create opens

struct Opened {
  Table* table;
  std::vector<kdh_field> fields;
  std::vector<std::vector<int64_t>> sizes;
};

const at::Tensor& any_split(const TableField& field) {
  for (const at::Tensor& value : field.values)
    if (value.defined()) return value;
  return field.values[0];
}

kdh_status info(void* self, kdh_dataset_info* out) {
  auto& opened = *static_cast<Opened*>(self);
  for (std::size_t split = 0; split < 3; ++split) {
    const at::Tensor& first = opened.table->fields[0].values[split];
    out->samples[split] = first.defined() ? first.size(0) : 0;
  }
  out->classes = opened.table->classes;
  out->fields = opened.fields.data();
  out->n_fields = opened.fields.size();
  out->field_size = sizeof(kdh_field);
  return KDH_OK;
}

kdh_status fetch(void* self, uint32_t split, const int64_t* index, uint64_t n, void* const* out) {
  Table& table = *static_cast<Opened*>(self)->table;
  ++table.fetched;
  if (!table.failure.empty()) return set_host_error(KDH_E_DATA, table.failure);
  for (std::size_t f = 0; f < table.fields.size(); ++f) {
    const at::Tensor& value = table.fields[f].values[split];
    const std::size_t bytes = value.nbytes() / static_cast<std::size_t>(value.size(0));
    const auto* from = static_cast<const char*>(value.const_data_ptr());
    for (uint64_t i = 0; i < n; ++i)
      std::memcpy(static_cast<char*>(out[f]) + i * bytes, from + static_cast<std::size_t>(index[i]) * bytes, bytes);
  }
  return KDH_OK;
}

const void* resident(void* self, uint32_t split, uint64_t field) {
  const Table& table = *static_cast<Opened*>(self)->table;
  return table.resident ? table.fields[field].values[split].const_data_ptr() : nullptr;
}

const kdh_dataset kTable = {sizeof(kdh_dataset), info, fetch, resident};

kdh_status create(const kdh_component*, const kdh_create*, void** self, const void** vtable) {
  auto* opened = new Opened{opening, {}, {}};
  for (const TableField& field : opening->fields) {
    const auto sizes = any_split(field).sizes();
    opened->sizes.emplace_back(sizes.begin() + 1, sizes.end());
  }
  for (std::size_t i = 0; i < opening->fields.size(); ++i) {
    kdh_field described{};
    described.name = borrow(opening->fields[i].name);
    described.dtype = static_cast<int32_t>(any_split(opening->fields[i]).scalar_type());
    described.sizes = opened->sizes[i].data();
    described.rank = opened->sizes[i].size();
    described.scale = opening->fields[i].scale;
    opened->fields.push_back(described);
  }
  *self = opened;
  *vtable = &kTable;
  return KDH_OK;
}

void destroy(void* self) { delete static_cast<Opened*>(self); }

const kdh_component& component() {
  static const kdh_component made = [] {
    kdh_component c{};
    c.kind = KDH_KIND_DATASET;
    c.id = borrow("test.table");
    c.create = create;
    c.destroy = destroy;
    return c;
  }();
  return made;
}

}  // namespace

std::unique_ptr<DatasetInstance> open_table(Table& table) {
  opening = &table;
  Origin origin;
  origin.component = &component();
  origin.place = {"experiment.toml", 4, 1};
  origin.name = "data";
  return std::make_unique<DatasetInstance>(origin, Creation{});
}

void fill_labels(Table& table, const std::vector<int64_t>& labels, int64_t classes) {
  const auto count = static_cast<int64_t>(labels.size());
  table.fields.clear();
  table.fields.push_back({"input", {at::arange(count, at::kFloat).reshape({count, 1})}, 1.0});
  table.fields.push_back({"label", {at::tensor(labels, at::kLong)}, 1.0});
  table.classes = classes;
}

}  // namespace kdhost::test
