// SPDX-License-Identifier: MIT
// Filling batches from memory, from a copy on the GPU, or through the worker thread; see loader.hpp.
#include "data/loader.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "data/convert_rows.hpp"
#include "data/device_memory.hpp"
#include "tensor/aten.hpp"
#include "tensor/handle.hpp"

namespace kdhost {
namespace {

std::vector<int64_t> batch_sizes(int64_t count, const FieldInfo& field) {
  std::vector<int64_t> sizes{count};
  sizes.insert(sizes.end(), field.sizes.begin(), field.sizes.end());
  return sizes;
}

/// int64 [n] on the device; from pinned memory, so that the copy does not stop the program.
at::Tensor index_tensor(std::span<const int64_t> values, at::Device device) {
  at::Tensor host =
      at::empty({static_cast<int64_t>(values.size())}, at::TensorOptions(at::kLong).pinned_memory(device.is_cuda()));
  if (!values.empty()) std::memcpy(host.mutable_data_ptr(), values.data(), values.size_bytes());
  return device.is_cuda() ? host.to(device, /*non_blocking=*/true) : host;
}

}  // namespace

Loader::Loader(const DatasetInstance& dataset, at::Device device, at::ScalarType floating, bool channels_last)
    : dataset_(dataset), device_(device), floating_(floating), channels_last_(channels_last) {
  if (floating != at::kFloat && floating != at::kDouble)
    throw Error(Exit::internal, Message{.where = "loader",
                                        .what = "asked for fields in " + dtype_name(floating) + ".",
                                        .expected = "Expected float32 or float64."});
  for (std::size_t i = 0; i < dataset.info().fields.size(); ++i) {
    const FieldInfo& field = dataset.info().fields[i];
    if (field.name == "index")
      throw dataset.broken("info", "has a field 'index'", "another name: the host adds 'index' to every batch");
    if (dtype_of(i) != field.dtype && !convertible(field.dtype))
      throw dataset.broken("info", "stores field '" + field.name + "' as " + dtype_name(field.dtype) + " with a scale",
                           "an integer or floating-point dtype of 8 to 64 bits");
  }
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
}

at::ScalarType Loader::dtype_of(std::size_t field) const {
  const FieldInfo& info = dataset_.info().fields[field];
  if (info.scale != 1.0 || at::isFloatingType(info.dtype)) return floating_;
  // Losses and metrics index by labels, for which operators take int64 only.
  if (info.name == "label" && at::isIntegralType(info.dtype, /*includeBool=*/false)) return at::kLong;
  return info.dtype;
}

void Loader::check(Split split, std::span<const int64_t> samples) const {
  const int64_t limit = dataset_.samples(split);
  const auto outside = std::find_if(samples.begin(), samples.end(), [&](int64_t i) { return i < 0 || i >= limit; });
  if (outside != samples.end())
    throw Error(Exit::internal, Message{.where = "loader",
                                        .what = "sample " + std::to_string(*outside) + " was asked for.",
                                        .expected = "Expected 0 to " + std::to_string(limit - 1) + "."});
}

Loader::Store& Loader::store(Split split) {
  Store& store = stores_[static_cast<std::size_t>(split)];
  if (store.known) return store;
  store.known = true;
  const std::size_t count = dataset_.info().fields.size();
  uint64_t bytes = 0;
  std::vector<at::Tensor> fields;
  for (std::size_t i = 0; i < count; ++i) {
    fields.push_back(dataset_.resident(split, i));
    if (!fields.back().defined()) return store;
    bytes += fields.back().nbytes();
  }
  if (!device_.is_cpu()) {
    if (!fits_on_device(bytes, device_)) return store;
    for (at::Tensor& field : fields) field = field.to(device_);
  }
  store.fields = std::move(fields);
  store.usable = true;
  return store;
}

bool Loader::in_memory(Split split) { return store(split).usable; }

at::Tensor Loader::gather(std::size_t field, const at::Tensor& all, std::span<const int64_t> rows) const {
  const FieldInfo& info = dataset_.info().fields[field];
  const at::ScalarType dtype = dtype_of(field);
  const bool last = channels_last_ && info.sizes.size() == 3 && dtype == floating_;
  at::Tensor out = at::empty(batch_sizes(static_cast<int64_t>(rows.size()), info), at::TensorOptions(dtype),
                             last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
  convert_rows(all, rows, info.scale, out);
  return out;
}

at::Tensor Loader::convert_on_device(std::size_t field, at::Tensor stored) const {
  const FieldInfo& info = dataset_.info().fields[field];
  const at::ScalarType dtype = dtype_of(field);
  // The same numbers as convert_rows: the product in float64, rounded once.
  if (info.scale != 1.0) stored = stored.to(at::kDouble).mul_(info.scale);
  const bool last = channels_last_ && info.sizes.size() == 3 && dtype == floating_;
  return stored.to(dtype).contiguous(last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

Batch Loader::load(Split split, std::span<const int64_t> samples) {
  check(split, samples);
  Batch batch;
  batch.split = split;
  batch.samples.assign(samples.begin(), samples.end());
  at::Tensor index = index_tensor(samples, device_);
  const std::vector<FieldInfo>& fields = dataset_.info().fields;
  const Store& kept = store(split);
  std::unique_ptr<Slot> slot;
  if (!kept.usable) {
    slot = take_slot(split, samples);
    if (slot == nullptr) {
      slot = make_slot(split, batch.samples);
      read(*slot);
    }
    if (slot->failure) std::rethrow_exception(slot->failure);
  }
  std::vector<int64_t> every;
  if (slot != nullptr && device_.is_cpu()) {
    every.resize(samples.size());
    std::iota(every.begin(), every.end(), int64_t{0});
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    at::Tensor value;
    if (slot == nullptr) {
      value = device_.is_cpu() ? gather(i, kept.fields[i], samples)
                               : convert_on_device(i, kept.fields[i].index_select(0, index));
    } else if (device_.is_cpu()) {
      // What needs no conversion is handed on as it was read.
      const bool same = dtype_of(i) == fields[i].dtype && fields[i].scale == 1.0;
      value = same && !(channels_last_ && fields[i].sizes.size() == 3) ? std::move(slot->fields[i])
                                                                       : gather(i, slot->fields[i], every);
    } else {
      // The allocator of pinned memory keeps the buffer until the copy is done.
      value = convert_on_device(i, slot->fields[i].to(device_, /*non_blocking=*/true));
    }
    batch.fields.push_back({fields[i].name, std::move(value)});
  }
  batch.fields.push_back({"index", std::move(index)});
  return batch;
}

void Loader::prefetch(Split split, std::vector<int64_t> samples) {
  check(split, samples);
  if (store(split).usable) return;
  {
    const std::lock_guard lock(mutex_);
    if (slots_.size() >= kAhead) return;
  }
  std::unique_ptr<Slot> slot = make_slot(split, std::move(samples));
  {
    const std::lock_guard lock(mutex_);
    slots_.push_back(std::move(slot));
  }
  if (!worker_.joinable()) worker_ = std::thread(&Loader::work, this);
  changed_.notify_all();
}

std::unique_ptr<Loader::Slot> Loader::make_slot(Split split, std::vector<int64_t> samples) const {
  auto slot = std::make_unique<Slot>();
  slot->split = split;
  slot->samples = std::move(samples);
  const auto count = static_cast<int64_t>(slot->samples.size());
  for (const FieldInfo& field : dataset_.info().fields)
    slot->fields.push_back(
        at::empty(batch_sizes(count, field), at::TensorOptions(field.dtype).pinned_memory(device_.is_cuda())));
  return slot;
}

void Loader::read(Slot& slot) const {
  try {
    std::vector<void*> out;
    for (const at::Tensor& field : slot.fields) out.push_back(field.mutable_data_ptr());
    dataset_.fetch(slot.split, slot.samples, out);
  } catch (...) {
    slot.failure = std::current_exception();
  }
}

std::unique_ptr<Loader::Slot> Loader::take_slot(Split split, std::span<const int64_t> samples) {
  std::unique_lock lock(mutex_);
  while (!slots_.empty()) {
    changed_.wait(lock, [this] { return slots_.front()->done; });
    std::unique_ptr<Slot> slot = std::move(slots_.front());
    slots_.pop_front();
    if (slot->split == split && std::equal(samples.begin(), samples.end(), slot->samples.begin(), slot->samples.end()))
      return slot;
  }
  return nullptr;
}

void Loader::work() {
  std::unique_lock lock(mutex_);
  const auto next = [this] {
    return std::find_if(slots_.begin(), slots_.end(), [](const auto& s) { return !s->done; });
  };
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || next() != slots_.end(); });
    if (stop_) return;
    Slot& slot = **next();  // stays where it is: a slot that is not done is never taken
    lock.unlock();
    read(slot);
    lock.lock();
    slot.done = true;
    changed_.notify_all();
  }
}

}  // namespace kdhost
