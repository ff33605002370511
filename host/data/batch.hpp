// SPDX-License-Identifier: MIT
// One batch as it travels from the loader through the transforms to models, losses and metrics.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dataset.hpp"

namespace kdhost {

struct Batch {
  struct Field {
    std::string name;  ///< "input", "label", "index"; a port calls it "batch.input"
    at::Tensor value;  ///< [N, …] on the device of the run
  };

  Split split = Split::train;
  std::vector<int64_t> samples;  ///< indices in `split`
  std::vector<uint64_t> keys;    ///< one a sample, for random transforms; empty where none are applied
  std::vector<Field> fields;     ///< those of the data set in its order, then "index": int64 [N], the samples
  at::Tensor labelled_rows;      ///< int64, rows of this batch that have a label; undefined: all have one

  int64_t size() const { return static_cast<int64_t>(samples.size()); }
  /// By plain name ("input") or port name ("batch.input"); null where the batch has no such field.
  const at::Tensor* find(std::string_view name) const;
  at::Tensor* find(std::string_view name);
  /// Replaces a field, or adds it at the end.
  void set(std::string_view name, at::Tensor value);
  /// Of the fields.
  at::Device device() const;
};

/// The fields of the first `count` samples, or of all where there are fewer: views, not copies.
Batch first_rows(const Batch& batch, int64_t count);

/// Fills labelled_rows from Subsets::has_label (by index in the training split); undefined where every row has a label.
void mark_labelled(Batch& batch, const std::vector<uint8_t>& has_label);

/// "input" for "batch.input"; a plain name stays as it is.
std::string_view field_name(std::string_view port);

}  // namespace kdhost
