// SPDX-License-Identifier: MIT
// Drawing, moving, copying and checking the parameters and buffers of an instance; see parts.hpp.
#include "tensor/parts.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <utility>

#include "base/error.hpp"
#include "base/stream.hpp"
#include "base/text.hpp"
#include "tensor/aten.hpp"

namespace kdhost {
namespace {

at::Tensor draw(const PartSpec& spec, const std::string& owner, uint64_t seed, at::ScalarType precision) {
  const at::ScalarType dtype = spec.dtype.value_or(precision);
  // A copy, always: several Parts may be made from one declaration.
  if (spec.init == KDH_INIT_VALUE) return at::empty(spec.sizes, at::TensorOptions(dtype)).copy_(spec.value);
  if (spec.init == KDH_INIT_ZEROS) return at::zeros(spec.sizes, at::TensorOptions(dtype));
  if (spec.init == KDH_INIT_ONES) return at::ones(spec.sizes, at::TensorOptions(dtype));
  if (spec.init == KDH_INIT_CONSTANT) return at::full(spec.sizes, spec.a, at::TensorOptions(dtype));
  at::Generator generator =
      at::make_generator<at::CPUGeneratorImpl>(derived_seed(seed, "init:" + owner + ":" + spec.name));
  at::Tensor drawn = at::empty(spec.sizes, at::TensorOptions(precision == at::kDouble ? at::kDouble : at::kFloat));
  if (spec.init == KDH_INIT_UNIFORM)
    drawn.uniform_(spec.a, spec.b, generator);
  else
    drawn.normal_(spec.a, spec.b, generator);
  return drawn.to(dtype);
}

bool trains(const PartSpec& spec) { return spec.role == PartRole::parameter; }

// The same elements in the same order of memory, on the CPU, so that layout does not change what is hashed.
at::Tensor plain(const at::Tensor& tensor) { return tensor.detach().to(at::kCPU).contiguous(); }

}  // namespace

Parts::Parts() : list_(std::make_shared<const PartList>()) {}

Parts::Parts(std::shared_ptr<const PartList> list, std::string owner, uint64_t seed, at::ScalarType precision)
    : list_(std::move(list)), owner_(std::move(owner)) {
  const at::NoGradGuard no_grad;
  tensors_.reserve(list_->size());
  for (const PartSpec& part : *list_) {
    at::Tensor& made = tensors_.emplace_back(draw(part, owner_, seed, precision));
    if (trains(part)) made.requires_grad_(true);
  }
  refresh_handles();
}

void Parts::refresh_handles() {
  handles_.clear();
  handles_.reserve(tensors_.size());
  for (const at::Tensor& part : tensors_) handles_.push_back(lend(part));
}

std::optional<std::size_t> Parts::find(std::string_view name) const {
  for (std::size_t slot = 0; slot < list_->size(); ++slot)
    if ((*list_)[slot].name == name) return slot;
  return std::nullopt;
}

std::vector<std::size_t> Parts::trainable() const {
  std::vector<std::size_t> slots;
  for (std::size_t slot = 0; slot < size(); ++slot)
    if (trains(spec(slot)) && tensors_[slot].requires_grad()) slots.push_back(slot);
  return slots;
}

int64_t Parts::count_parameters() const {
  int64_t count = 0;
  for (std::size_t slot = 0; slot < size(); ++slot)
    if (spec(slot).role != PartRole::buffer) count += tensors_[slot].numel();
  return count;
}

int64_t Parts::bytes() const {
  int64_t total = 0;
  for (const at::Tensor& part : tensors_) total += static_cast<int64_t>(part.nbytes());
  return total;
}

void Parts::to(at::Device device, std::optional<at::ScalarType> dtype, bool channels_last) {
  const at::NoGradGuard no_grad;
  for (std::size_t slot = 0; slot < size(); ++slot) {
    at::Tensor& part = tensors_[slot];
    const bool cast = dtype && !spec(slot).dtype && part.is_floating_point();
    at::Tensor moved = part.detach().to(device, cast ? *dtype : part.scalar_type());
    if (channels_last && moved.dim() == 4) moved = moved.contiguous(at::MemoryFormat::ChannelsLast);
    if (moved.is_same(part)) continue;
    part.mutable_grad().reset();
    part.set_data(moved);  // the same tensor with other memory: handles, optimizer and plugin keep it
  }
  forget_derived();
}

Parts Parts::clone(std::string owner) const {
  const at::NoGradGuard no_grad;
  Parts copy;
  copy.list_ = list_;
  copy.owner_ = std::move(owner);
  for (const at::Tensor& part : tensors_)
    copy.tensors_.push_back(part.detach().clone().requires_grad_(part.requires_grad()));
  copy.refresh_handles();
  return copy;
}

Parts Parts::with_copied_buffers() const {
  const at::NoGradGuard no_grad;
  Parts copy;
  copy.list_ = list_;
  copy.owner_ = owner_;
  for (std::size_t slot = 0; slot < size(); ++slot)
    copy.tensors_.push_back(spec(slot).role == PartRole::buffer ? tensors_[slot].detach().clone() : tensors_[slot]);
  copy.refresh_handles();
  return copy;
}

void Parts::copy_from(const Parts& other) {
  for (std::size_t slot = 0; slot < size(); ++slot) {
    const auto source = other.find(spec(slot).name);
    if (!source)
      throw Error(Exit::internal,
                  Message{.where = owner_,
                          .what = "part '" + spec(slot).name + "' is not among the parts of '" + other.owner_ + "'."});
    copy_from(slot, other[*source], owner_);
  }
}

void Parts::copy_from(std::size_t slot, const at::Tensor& value, const std::string& where) {
  const at::NoGradGuard no_grad;
  const at::Tensor& part = tensors_[slot];
  if (value.sizes() != part.sizes())
    throw Error(Exit::data,
                Message{.where = where,
                        .what = "tensor '" + spec(slot).name + "' has shape " + shape_text(value.sizes()) + ".",
                        .expected = "Expected " + shape_text(part.sizes()) + " as in '" + owner_ + "'.",
                        .mend = "Give weights of the same architecture and number of classes."});
  if (value.is_floating_point() != part.is_floating_point())
    throw Error(
        Exit::data,
        Message{.where = where,
                .what = "tensor '" + spec(slot).name + "' has dtype " + dtype_name(value.scalar_type()) + ".",
                .expected = "Expected " + dtype_name(part.scalar_type()) + " as in '" + owner_ + "', or another " +
                            (part.is_floating_point() ? "floating-point" : "integer") + " dtype.",
                .mend = "Convert the weights."});
  tensors_[slot].detach().copy_(value);
  forget_derived();
}

void Parts::require_grad(bool on) {
  for (std::size_t slot = 0; slot < size(); ++slot) require_grad(slot, on);
}

void Parts::require_grad(std::size_t slot, bool on) {
  if (trains(spec(slot))) tensors_[slot].requires_grad_(on);
}

void Parts::drop_gradients() {
  for (at::Tensor& part : tensors_) part.mutable_grad().reset();
}

void Parts::write_later(std::size_t slot, at::Tensor value) {
  const auto refuse = [&](std::string what) {
    throw Error(Exit::plugin, Message{.where = owner_, .what = std::move(what)});
  };
  if (slot >= size())
    refuse("write to slot " + std::to_string(slot) + ", expected a slot below " + std::to_string(size()) + ".");
  const PartSpec& part = spec(slot);
  if (part.role != PartRole::buffer)
    refuse("write to '" + part.name + "', which is a parameter; expected a part declared as a buffer.");
  if (!value.defined() || value.sizes() != tensors_[slot].sizes())
    refuse("write to '" + part.name + "' of " + tensor_text(value) + ", expected shape " +
           shape_text(tensors_[slot].sizes()) + ".");
  writes_.push_back({slot, value.detach()});
}

void Parts::apply_writes() {
  if (writes_.empty()) return;
  const at::NoGradGuard no_grad;
  for (const Write& write : writes_) tensors_[write.slot].copy_(write.value);
  writes_.clear();
  forget_derived();
}

Digest Parts::fingerprint(bool buffers_only) const {
  Hasher hasher;
  for (std::size_t slot = 0; slot < size(); ++slot) {
    if (buffers_only && spec(slot).role != PartRole::buffer) continue;
    const at::Tensor values = plain(tensors_[slot]);
    hasher.add(std::string_view(spec(slot).name)).add(static_cast<std::uint64_t>(values.scalar_type()));
    for (const int64_t size : values.sizes()) hasher.add(static_cast<std::uint64_t>(size));
    hasher.add(std::span(static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()));
  }
  return hasher.digest();
}

}  // namespace kdhost
