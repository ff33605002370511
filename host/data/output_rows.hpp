// SPDX-License-Identifier: MIT
// The place where OutputStore keeps its rows: memory (output_store.cpp) or one mapped file (output_file.hpp).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kdhost {

/// One kept output of the teacher.
struct StoredTap {
  std::string name;  ///< "logits", "big:hidden2"
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> sizes;  ///< of one sample

  std::size_t bytes() const;  ///< of one sample
  bool operator==(const StoredTap&) const = default;
};

/// Rows are in range, values have the right shape and dtype, and no row is put twice: OutputStore sees to it.
class OutputRows {
 public:
  OutputRows() = default;
  virtual ~OutputRows() = default;
  OutputRows(const OutputRows&) = delete;
  OutputRows& operator=(const OutputRows&) = delete;

  virtual void put(std::span<const int64_t> rows, const std::vector<at::Tensor>& values) = 0;
  virtual std::vector<at::Tensor> get(std::span<const int64_t> rows, at::Device device) const = 0;
  /// Memory or disk space taken.
  virtual uint64_t bytes() const = 0;
};

/// An empty CPU tensor [count, sizes…] for values on their way to `device`: pinned where that is a GPU.
at::Tensor rows_for(const StoredTap& tap, int64_t count, at::Device device);

}  // namespace kdhost
