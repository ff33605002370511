// SPDX-License-Identifier: MIT
// Fills batches. Steps 2 and 3 in the life of a batch: from the data set's memory or its reader into tensors on the
// device, converted to the run's floating-point type on the way.
//
// Where the data set keeps a split in memory, rows are gathered inline (CPU) or from a copy uploaded once (CUDA):
// handing 50 KB to another thread costs more than copying it. Otherwise one worker thread reads ahead.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "data/batch.hpp"
#include "tensor/dataset.hpp"

namespace kdhost {

class Loader {
 public:
  /// `floating`: float32 or float64, the type of every field that is floating-point or has a scale. `channels_last`:
  /// the memory layout of [N, C, H, W] fields; values and sizes are the same. The data set must outlive the loader.
  Loader(const DatasetInstance& dataset, at::Device device, at::ScalarType floating = at::kFloat,
         bool channels_last = false);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The samples, in the order given. A value is stored * scale, multiplied in float64 and rounded once, the same on
  /// every device; fields without scale that are not floating-point keep their dtype, except that integer labels become
  /// int64. Keys and labelled_rows are left to the caller. What failed on the worker thread is thrown here.
  Batch load(Split split, std::span<const int64_t> samples);

  /// Says what will be loaded next, so that it can be read meanwhile. At most kAhead batches; more are read when asked
  /// for. Does nothing for a split in memory.
  void prefetch(Split split, std::vector<int64_t> samples);

  /// True where the split is gathered from memory and prefetch does nothing.
  bool in_memory(Split split);
  at::Device device() const { return device_; }
  const DatasetInstance& dataset() const { return dataset_; }

  static constexpr std::size_t kAhead = 2;

 private:
  /// Every sample of one split: by field a tensor [samples, …] as stored, in host memory or uploaded.
  struct Store {
    bool known = false;
    bool usable = false;
    std::vector<at::Tensor> fields;
  };
  /// A batch being read: one buffer a field, allocated by the asking thread so that the worker only calls the data set.
  struct Slot {
    Split split = Split::train;
    std::vector<int64_t> samples;
    std::vector<at::Tensor> fields;
    std::exception_ptr failure;
    bool done = false;
  };

  void check(Split split, std::span<const int64_t> samples) const;
  Store& store(Split split);
  std::unique_ptr<Slot> make_slot(Split split, std::vector<int64_t> samples) const;
  void read(Slot& slot) const;
  std::unique_ptr<Slot> take_slot(Split split, std::span<const int64_t> samples);
  void work();
  at::ScalarType dtype_of(std::size_t field) const;
  at::Tensor gather(std::size_t field, const at::Tensor& all, std::span<const int64_t> rows) const;
  at::Tensor convert_on_device(std::size_t field, at::Tensor stored) const;

  const DatasetInstance& dataset_;
  at::Device device_;
  at::ScalarType floating_;
  bool channels_last_;
  std::array<Store, 3> stores_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Slot>> slots_;  ///< in the order of prefetch; the worker fills the first that is not done
  bool stop_ = false;
  std::thread worker_;  ///< started by the first prefetch that needs it
};

}  // namespace kdhost
