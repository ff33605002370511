// SPDX-License-Identifier: MIT
// The parameters and buffers of one instance of a model, loss or transform. The plugin only declares them (add_part);
// the host draws, trains, moves, saves and exports them. One instance may serve several Parts (student, its average, a
// teacher).
#pragma once

#include <ATen/core/Tensor.h>
#include <kdhost/abi.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.hpp"
#include "tensor/handle.hpp"

namespace kdhost {

enum class PartRole { parameter, buffer, frozen };  // the numbers of KDH_PART_*

/// One declaration, as the component made it while it was created.
struct PartSpec {
  std::string name;
  PartRole role = PartRole::parameter;
  bool no_decay = false;  ///< a bias or the scale of a normalisation
  std::vector<int64_t> sizes;
  std::optional<at::ScalarType> dtype;  ///< none: the precision of the run
  kdh_init init = KDH_INIT_ZEROS;
  double a = 0.0, b = 0.0;  ///< constant; bounds; mean and standard deviation
  at::Tensor value;         ///< KDH_INIT_VALUE: what to copy
};

/// Declarations in the order in which they were made: slot numbers and state_dict order.
using PartList = std::vector<PartSpec>;

class Parts {
 public:
  /// Without parts: for components that declare none.
  Parts();
  /// Draws every part on the CPU from a stream of its own, seeded by (seed, owner, part name): a part's values do not
  /// depend on the other parts, nor on the order of drawing. Uniform and normal numbers are drawn in float64 when
  /// `precision` is float64 and in float32 otherwise, then cast. `owner` is the name in the experiment ("student",
  /// "loss.hint").
  Parts(std::shared_ptr<const PartList> list, std::string owner, uint64_t seed, at::ScalarType precision);
  Parts(Parts&&) noexcept = default;
  Parts& operator=(Parts&&) noexcept = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  const std::string& owner() const { return owner_; }
  std::size_t size() const { return tensors_.size(); }
  const PartList& list() const { return *list_; }
  const PartSpec& spec(std::size_t slot) const { return (*list_)[slot]; }
  const at::Tensor& operator[](std::size_t slot) const { return tensors_[slot]; }
  const std::vector<at::Tensor>& tensors() const { return tensors_; }
  std::optional<std::size_t> find(std::string_view name) const;
  /// Slots of the parameters that require a gradient now, in declaration order.
  std::vector<std::size_t> trainable() const;
  /// Numbers in parameters (trained or frozen), buffers apart.
  int64_t count_parameters() const;
  /// Bytes of all parts.
  int64_t bytes() const;

  /// Handles by slot for kdh_call.parts; valid while this object lives and is not moved to another dtype or device.
  const kdh_tensor* handles() const { return handles_.data(); }

  /// Moves all parts, keeping the identity of each tensor (optimizer and plugin may hold it). Floating-point parts
  /// whose dtype the plugin left open are cast to `dtype`; 4-D parts get the channels_last layout when asked.
  void to(at::Device device, std::optional<at::ScalarType> dtype = std::nullopt, bool channels_last = false);
  /// The same values in new tensors, same device and dtype; gradients, pending writes and derived tensors stay behind.
  Parts clone(std::string owner) const;
  /// The same parameters (shared) with copies of the buffers: for the dry batch, which must leave no trace.
  Parts with_copied_buffers() const;
  /// Copies values over, name by name; both have the same list of parts. Identity is kept.
  void copy_from(const Parts& other);
  /// Copies `value` (any device and floating dtype) into a part after a check of its shape: Error (data), naming the
  /// part.
  void copy_from(std::size_t slot, const at::Tensor& value, const std::string& where);

  /// Parameters that the plugin did not declare frozen: on or off, all of them.
  void require_grad(bool on);
  /// One parameter; a buffer or a part declared frozen never requires a gradient.
  void require_grad(std::size_t slot, bool on);
  void drop_gradients();

  /// kdh_call.write: remembered until apply_writes. Checks that the slot is a buffer and the shape fits: Error
  /// (plugin).
  void write_later(std::size_t slot, at::Tensor value);
  /// After backward (in evaluation: after the call): copies the pending values in, in the order of writing.
  void apply_writes();
  void discard_writes() { writes_.clear(); }
  bool has_writes() const { return !writes_.empty(); }

  /// XXH3-128 of the bytes of all parts or only the buffers (names, dtypes and shapes included). Waits for the device.
  /// It is how one sees that a frozen teacher did not move: batch norm changes its statistics without a version
  /// counter.
  Digest fingerprint(bool buffers_only = false) const;

  /// Results of kdh_call.derived in frozen mode, by key. Whoever changes values in another way than through this class
  /// (an optimizer, an average) calls forget_derived.
  std::unordered_map<uint64_t, std::vector<at::Tensor>>& derived() { return derived_; }
  void forget_derived() { derived_.clear(); }

 private:
  void refresh_handles();

  struct Write {
    std::size_t slot;
    at::Tensor value;
  };

  std::shared_ptr<const PartList> list_;
  std::string owner_;
  std::vector<at::Tensor> tensors_;
  std::vector<kdh_tensor> handles_;
  std::vector<Write> writes_;
  std::unordered_map<uint64_t, std::vector<at::Tensor>> derived_;
};

}  // namespace kdhost
