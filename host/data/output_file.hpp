// SPDX-License-Identifier: MIT
// Teacher outputs in one memory-mapped file. Only output_store.cpp uses this.
//
// Layout, all numbers little-endian:
//   header  8 bytes magic, u64 length of the header (a multiple of 4096), u64 length of the text, the text (JSON: key,
//           rows, rows in a block, taps with dtype and shape), zeros, XXH3-128 of everything before it
//   table   32 bytes a block: u64 state (0 or kFinished), XXH3-128 of (number of the block, its bytes), u64 number;
//           zeros up to a multiple of 4096
//   data    row after row without gaps; a row is its taps one after another; a block is about 4 MiB of rows
//
// A block is believed only with kFinished beside it. That word is written last, after digest and data have reached the
// disk, so neither a killed program nor a power cut can leave a half-written block that looks whole.
#pragma once

#include <cstddef>
#include <filesystem>

#include "data/output_rows.hpp"

namespace kdhost {

class OutputFile final : public OutputRows {
 public:
  /// Opens or makes the file; see OutputStore::disk.
  OutputFile(const std::filesystem::path& path, const std::string& key, const std::vector<StoredTap>& taps,
             int64_t rows);
  ~OutputFile() override;

  void put(std::span<const int64_t> rows, const std::vector<at::Tensor>& values) override;
  /// Checks the digest of each block that an earlier program wrote when it is read for the first time. Not for several
  /// threads at once.
  std::vector<at::Tensor> get(std::span<const int64_t> rows, at::Device device) const override;
  uint64_t bytes() const override { return size_; }

  /// By row: 1 for each row of a finished block.
  std::vector<uint8_t> present() const;

 private:
  struct Entry;

  void open_file(const std::string& header);
  void check_header(const std::string& header) const;
  void read_table();
  void lock();
  void reserve() const;
  void map(bool writable);
  void finish(std::size_t block);
  void verify(std::size_t block) const;
  Entry* entry(std::size_t block) const;
  std::span<std::byte> block_bytes(std::size_t block) const;
  void flush(const void* begin, std::size_t length) const;

  std::string path_;
  std::vector<StoredTap> taps_;
  std::size_t rows_ = 0;
  std::size_t record_ = 0;  ///< bytes of a row
  std::size_t rows_per_block_ = 1;
  std::size_t table_start_ = 0, data_start_ = 0, size_ = 0;  ///< bytes
  int descriptor_ = -1;
  bool may_write_ = false;
  std::byte* memory_ = nullptr;
  std::vector<std::size_t> open_rows_;  ///< by block: rows still to be put; 0: finished
  std::size_t open_blocks_ = 0;
  mutable std::vector<uint8_t> trusted_;  ///< by block: verified, or written by this program
};

}  // namespace kdhost
