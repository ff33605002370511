// SPDX-License-Identifier: MIT
// Checks of what is put and asked for, and the rows kept in memory; see output_store.hpp.
#include "data/output_store.hpp"

#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"
#include "data/device_memory.hpp"
#include "data/output_file.hpp"
#include "tensor/aten.hpp"
#include "tensor/handle.hpp"

namespace kdhost {
namespace {

Error misuse(std::string what, std::string expected) {
  return Error(Exit::internal,
               Message{.where = "teacher outputs", .what = std::move(what), .expected = std::move(expected)});
}

/// One tensor [rows, sizes…] a tap.
class MemoryRows final : public OutputRows {
 public:
  MemoryRows(int64_t rows, const std::vector<StoredTap>& taps, at::Device device) : taps_(taps), device_(device) {
    for (const StoredTap& tap : taps) {
      std::vector<int64_t> sizes{rows};
      sizes.insert(sizes.end(), tap.sizes.begin(), tap.sizes.end());
      kept_.push_back(at::empty(sizes, at::TensorOptions(tap.dtype).device(device)));
    }
  }

  void put(std::span<const int64_t> rows, const std::vector<at::Tensor>& values) override {
    for (std::size_t i = 0; i < taps_.size(); ++i) {
      if (!device_.is_cpu()) {
        kept_[i].index_copy_(0, on_device(rows), values[i].to(device_));
        continue;
      }
      const at::Tensor value = values[i].cpu().contiguous();
      const std::size_t bytes = taps_[i].bytes();
      const auto* from = static_cast<const std::byte*>(value.const_data_ptr());
      auto* to = static_cast<std::byte*>(kept_[i].mutable_data_ptr());
      for (std::size_t row = 0; row < rows.size(); ++row)
        std::memcpy(to + static_cast<std::size_t>(rows[row]) * bytes, from + row * bytes, bytes);
    }
  }

  std::vector<at::Tensor> get(std::span<const int64_t> rows, at::Device device) const override {
    std::vector<at::Tensor> values;
    for (std::size_t i = 0; i < taps_.size(); ++i) {
      if (!device_.is_cpu()) {
        values.push_back(kept_[i].index_select(0, on_device(rows)).to(device));
        continue;
      }
      at::Tensor value = rows_for(taps_[i], static_cast<int64_t>(rows.size()), device);
      const std::size_t bytes = taps_[i].bytes();
      const auto* from = static_cast<const std::byte*>(kept_[i].const_data_ptr());
      auto* to = static_cast<std::byte*>(value.mutable_data_ptr());
      for (std::size_t row = 0; row < rows.size(); ++row)
        std::memcpy(to + row * bytes, from + static_cast<std::size_t>(rows[row]) * bytes, bytes);
      values.push_back(device.is_cpu() ? std::move(value) : value.to(device, /*non_blocking=*/true));
    }
    return values;
  }

  uint64_t bytes() const override {
    uint64_t sum = 0;
    for (const at::Tensor& tensor : kept_) sum += tensor.nbytes();
    return sum;
  }

 private:
  at::Tensor on_device(std::span<const int64_t> rows) const {
    at::Tensor index = at::empty({static_cast<int64_t>(rows.size())}, at::TensorOptions(at::kLong).pinned_memory(true));
    if (!rows.empty()) std::memcpy(index.mutable_data_ptr(), rows.data(), rows.size_bytes());
    return index.to(device_, /*non_blocking=*/true);
  }

  std::vector<StoredTap> taps_;
  at::Device device_;
  std::vector<at::Tensor> kept_;
};

}  // namespace

std::size_t StoredTap::bytes() const {
  std::size_t sum = c10::elementSize(dtype);
  for (const int64_t size : sizes) sum *= static_cast<std::size_t>(size);
  return sum;
}

at::Tensor rows_for(const StoredTap& tap, int64_t count, at::Device device) {
  std::vector<int64_t> sizes{count};
  sizes.insert(sizes.end(), tap.sizes.begin(), tap.sizes.end());
  return at::empty(sizes, at::TensorOptions(tap.dtype).pinned_memory(device.is_cuda()));
}

OutputStore::OutputStore(std::unique_ptr<OutputRows> rows, std::vector<StoredTap> taps, std::vector<uint8_t> present)
    : rows_(std::move(rows)), taps_(std::move(taps)), present_(std::move(present)) {
  for (const uint8_t there : present_) missing_ += there == 0 ? 1 : 0;
}

uint64_t OutputStore::bytes_needed(int64_t rows, const std::vector<StoredTap>& taps) {
  uint64_t record = 0;
  for (const StoredTap& tap : taps) record += tap.bytes();
  return record * static_cast<uint64_t>(rows);
}

OutputStore OutputStore::memory(int64_t rows, std::vector<StoredTap> taps, at::Device device) {
  const at::Device place = fits_on_device(bytes_needed(rows, taps), device) ? device : at::Device(at::kCPU);
  auto kept = std::make_unique<MemoryRows>(rows, taps, place);
  return OutputStore(std::move(kept), std::move(taps), std::vector<uint8_t>(static_cast<std::size_t>(rows), 0));
}

OutputStore OutputStore::disk(const std::filesystem::path& path, const std::string& key, std::vector<StoredTap> taps,
                              int64_t rows) {
  auto file = std::make_unique<OutputFile>(path, key, taps, rows);
  std::vector<uint8_t> present = file->present();
  return OutputStore(std::move(file), std::move(taps), std::move(present));
}

void OutputStore::put(std::span<const int64_t> rows, const std::vector<at::Tensor>& values) {
  if (values.size() != taps_.size())
    throw misuse(std::to_string(values.size()) + " tensors were put.",
                 "Expected " + std::to_string(taps_.size()) + ", one for each tap.");
  for (std::size_t i = 0; i < taps_.size(); ++i) {
    std::vector<int64_t> sizes{static_cast<int64_t>(rows.size())};
    sizes.insert(sizes.end(), taps_[i].sizes.begin(), taps_[i].sizes.end());
    if (!values[i].defined() || values[i].scalar_type() != taps_[i].dtype ||
        values[i].sizes() != at::IntArrayRef(sizes))
      throw misuse("tap '" + taps_[i].name + "' is " + tensor_text(values[i]) + ".",
                   "Expected " + dtype_name(taps_[i].dtype) + " " + shape_text(sizes) + ".");
  }
  std::vector<int64_t> fresh, picked;  // rows not there yet, and where they stand in `values`
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] < 0 || rows[i] >= this->rows())
      throw misuse("row " + std::to_string(rows[i]) + " was put.",
                   "Expected less than " + std::to_string(this->rows()) + ".");
    uint8_t& there = present_[static_cast<std::size_t>(rows[i])];
    if (there != 0) continue;
    there = 1;
    fresh.push_back(rows[i]);
    picked.push_back(static_cast<int64_t>(i));
  }
  if (fresh.empty()) return;
  if (fresh.size() == rows.size()) {
    rows_->put(rows, values);
  } else {
    const at::Tensor index = at::tensor(picked, at::kLong);
    std::vector<at::Tensor> some;
    for (const at::Tensor& value : values) some.push_back(value.index_select(0, index.to(value.device())));
    rows_->put(fresh, some);
  }
  missing_ -= static_cast<int64_t>(fresh.size());
}

std::vector<at::Tensor> OutputStore::get(std::span<const int64_t> rows, at::Device device) const {
  for (const int64_t row : rows)
    if (row < 0 || row >= this->rows() || !has(row))
      throw misuse("row " + std::to_string(row) + " was asked for.",
                   "Expected a row that was put, below " + std::to_string(this->rows()) + ".");
  return rows_->get(rows, device);
}

std::vector<int64_t> OutputStore::missing() const {
  std::vector<int64_t> rows;
  for (std::size_t i = 0; i < present_.size(); ++i)
    if (present_[i] == 0) rows.push_back(static_cast<int64_t>(i));
  return rows;
}

}  // namespace kdhost
