// SPDX-License-Identifier: MIT
// A data-set component. Step 2 in the life of a batch: it copies the samples of a batch into memory of the host.
#pragma once

#include <array>

#include "tensor/instance.hpp"

namespace kdhost {

enum class Split : uint32_t { train = KDH_SPLIT_TRAIN, validation = KDH_SPLIT_VALIDATION, test = KDH_SPLIT_TEST };

struct FieldInfo {
  std::string name;            ///< "input", "label"
  at::ScalarType dtype;        ///< as stored
  std::vector<int64_t> sizes;  ///< of one sample
  double scale = 1.0;          ///< floating-point value = stored * scale; 1: the field keeps its dtype
  int64_t elements = 0;        ///< of one sample
  std::size_t bytes = 0;       ///< of one sample
};

struct DatasetInfo {
  std::array<int64_t, 3> samples{};  ///< by split; 0 = no such split
  int64_t classes = 0;               ///< 0 = no classes
  std::vector<FieldInfo> fields;
  std::vector<std::string> class_names;
  std::vector<std::string> files;  ///< what was read

  std::size_t field(std::string_view name) const;  ///< fields.size() where absent
};

class DatasetInstance : public Instance {
 public:
  /// Opens the data. Error (data) when the component reports missing or damaged files, Error (plugin) when what it says
  /// about itself makes no sense.
  DatasetInstance(Origin origin, Creation creation);

  const DatasetInfo& info() const { return info_; }
  int64_t samples(Split split) const { return info_.samples[static_cast<std::size_t>(split)]; }

  /// Copies samples into out[field], each large enough for index.size() samples. Indices must be in range: Error
  /// (internal). May run on a data thread, also several at once.
  void fetch(Split split, std::span<const int64_t> index, std::span<void* const> out) const;

  /// All samples of one field as one tensor over the component's own memory, [samples, sizes…]; undefined where the
  /// component does not keep them in memory. Never write to it; valid while this object lives.
  at::Tensor resident(Split split, std::size_t field) const;

 private:
  const kdh_dataset* table_ = nullptr;
  DatasetInfo info_;
};

}  // namespace kdhost
