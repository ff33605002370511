// SPDX-License-Identifier: MIT
// A data set for tests: tensors in memory behind the C functions of a plugin, without a plugin file.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "tensor/dataset.hpp"

namespace kdhost::test {

struct TableField {
  std::string name;
  std::array<at::Tensor, 3> values;  ///< by split, [samples, …]; undefined: no such split
  double scale = 1.0;
};

struct Table {
  std::vector<TableField> fields;
  int64_t classes = 0;
  bool resident = true;         ///< false: only fetch gives samples
  std::string failure;          ///< fetch fails with this text
  std::atomic<int> fetched{0};  ///< calls of fetch
};

/// An instance that reads from `table`, which must outlive it.
std::unique_ptr<DatasetInstance> open_table(Table& table);

/// `count` training samples whose label is given by `labels` and whose input is [1] float32, the index.
void fill_labels(Table& table, const std::vector<int64_t>& labels, int64_t classes);

}  // namespace kdhost::test
