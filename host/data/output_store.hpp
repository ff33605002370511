// SPDX-License-Identifier: MIT
// Teacher outputs kept by sample. Step 5 in the life of a batch takes them from here instead of running the teacher.
// They are kept as the teacher gave them (logits, never softened values) and found by row, so that shuffling cannot
// pair a wrong one. A row is the position of a sample in the training subset, times the number of views, plus the view.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/output_rows.hpp"

namespace kdhost {

class OutputStore {
 public:
  /// In memory; on `device` where that is a GPU and a quarter of its free memory is enough, else on the CPU.
  static OutputStore memory(int64_t rows, std::vector<StoredTap> taps, at::Device device = at::kCPU);

  /// In one memory-mapped file, made when it is absent. A file left by a killed writer is continued: its finished
  /// blocks of about 4 MiB count, each has a digest, anything else is made again. `key` is the hash, in hexadecimal, of
  /// everything that decides the values. Error (data), with both values, for a file of another key, other taps or
  /// another number of rows; for a damaged one; for a disk without enough space; for a file that another process is
  /// writing.
  static OutputStore disk(const std::filesystem::path& path, const std::string& key, std::vector<StoredTap> taps,
                          int64_t rows);

  /// What the values of so many rows take, without header and padding.
  static uint64_t bytes_needed(int64_t rows, const std::vector<StoredTap>& taps);

  /// One tensor a tap, [rows.size(), sizes…], of the tap's dtype. Rows that are there already keep their value. Filled
  /// in ascending order a disk store loses at most a block when the program is killed. Error (internal) for other
  /// shapes.
  void put(std::span<const int64_t> rows, const std::vector<at::Tensor>& values);

  /// One tensor a tap, [rows.size(), sizes…], on `device`. Error (internal) for a row that was never put, Error (data)
  /// for a damaged block.
  std::vector<at::Tensor> get(std::span<const int64_t> rows, at::Device device) const;

  bool has(int64_t row) const { return present_.at(static_cast<std::size_t>(row)) != 0; }
  bool complete() const { return missing_ == 0; }
  /// Rows still to be put, ascending.
  std::vector<int64_t> missing() const;
  int64_t rows() const { return static_cast<int64_t>(present_.size()); }
  const std::vector<StoredTap>& taps() const { return taps_; }
  /// Memory or disk space taken.
  uint64_t bytes() const { return rows_->bytes(); }

 private:
  OutputStore(std::unique_ptr<OutputRows> rows, std::vector<StoredTap> taps, std::vector<uint8_t> present);

  std::unique_ptr<OutputRows> rows_;
  std::vector<StoredTap> taps_;
  std::vector<uint8_t> present_;  ///< by row
  int64_t missing_ = 0;
};

}  // namespace kdhost
