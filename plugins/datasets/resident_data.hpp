// SPDX-License-Identifier: MIT
//
// A data set that lies in memory as it is stored: one contiguous array for each field and split. Step 2 in the life of
// a batch: fetch() copies the rows of a batch, or the host takes whole arrays through resident() and gathers them
// itself.
#pragma once
#include "data_file.hpp"

namespace kdhost::plugins {

/// Bytes of one element.
inline std::size_t width_of(Dtype t) {
  switch (t) {
    case Dtype::u8:
    case Dtype::i8:
    case Dtype::boolean:
      return 1;
    case Dtype::i16:
    case Dtype::f16:
    case Dtype::bf16:
      return 2;
    case Dtype::i32:
    case Dtype::f32:
      return 4;
    case Dtype::i64:
    case Dtype::f64:
      return 8;
  }
  return 0;
}

/// One field of one split. `first` skips what precedes the samples in the memory (a header that was read along).
struct Column {
  Bytes memory;
  std::size_t first = 0;
  const std::uint8_t* data() const { return memory.data() + first; }
};

class ResidentData : public DataSet {
 public:
  const DataInfo& info() const override { return info_; }

  void fetch(Split split, const std::int64_t* index, std::size_t n, void* const* out) const override {
    for (std::size_t f = 0; f < info_.fields.size(); ++f) {
      const std::uint8_t* from = column(split, f).data();
      auto* to = static_cast<std::uint8_t*>(out[f]);
      const std::size_t row = row_bytes(f);
      for (std::size_t i = 0; i < n; ++i)
        std::memcpy(to + i * row, from + static_cast<std::size_t>(index[i]) * row, row);
    }
  }

  const void* resident(Split split, std::size_t field) const override {
    const auto& columns = columns_[static_cast<std::size_t>(split)];
    return field < columns.size() ? columns[field].data() : nullptr;
  }

 protected:
  /// Bytes of one sample of a field.
  std::size_t row_bytes(std::size_t field) const {
    std::size_t bytes = width_of(info_.fields[field].dtype);
    for (const std::int64_t d : info_.fields[field].shape) bytes *= static_cast<std::size_t>(d);
    return bytes;
  }
  const Column& column(Split split, std::size_t field) const {
    return columns_[static_cast<std::size_t>(split)][field];
  }
  /// The samples of a split, one column for each of info_.fields, in their order.
  void set_split(Split split, std::int64_t samples, std::vector<Column> columns) {
    info_.samples[static_cast<std::size_t>(split)] = samples;
    columns_[static_cast<std::size_t>(split)] = std::move(columns);
  }

  DataInfo info_;

 private:
  std::array<std::vector<Column>, 3> columns_;
};

inline const char* name_of_split(Split s) {
  return s == Split::train ? "train" : s == Split::validation ? "validation" : "test";
}

}  // namespace kdhost::plugins
