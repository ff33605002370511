// SPDX-License-Identifier: MIT
// One call of a component: what it gets (inputs, parameters, parts, random numbers, time) and what it hands back by
// name. The C structures are built once per instance; a call refreshes pointers in them and allocates nothing itself.
#pragma once

#include <c10/core/Device.h>
#include <kdhost/abi.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/arguments.hpp"
#include "tensor/output_checks.hpp"
#include "tensor/parts.hpp"

namespace kdhost {

/// Tensors by name in the order in which a component emitted them. Reused from call to call it keeps its memory.
class Outputs {
 public:
  struct Entry {
    std::string name;
    at::Tensor value;
  };

  std::size_t size() const { return used_; }
  bool empty() const { return used_ == 0; }
  const Entry* begin() const { return entries_.data(); }
  const Entry* end() const { return entries_.data() + used_; }
  const Entry& operator[](std::size_t index) const { return entries_[index]; }
  /// Null where no result has that name.
  const at::Tensor* find(std::string_view name) const;
  /// Undefined tensor where no result has that name.
  at::Tensor operator[](std::string_view name) const;

  /// False, and nothing changed, when the name is there already.
  bool add(std::string_view name, at::Tensor value);
  /// Releases the tensors; names stay as a memory of the order, which makes the next call cheap.
  void clear();

 private:
  std::vector<Entry> entries_;
  std::size_t used_ = 0;
};

/// Which results the host will use. Everything (dry batch, `inspect`) or the names given.
class Wants {
 public:
  Wants() = default;  ///< everything
  explicit Wants(std::vector<std::string> names) : all_(false), names_(std::move(names)) {}

  bool all() const { return all_; }
  bool has(std::string_view name) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  bool all_ = true;
  std::vector<std::string> names_;
};

/// What differs from call to call besides the tensors.
struct CallSettings {
  uint32_t flags = 0;                       ///< KDH_CALL_TRAINING | KDH_CALL_FROZEN | KDH_CALL_DRY
  const kdh_moment* moment = nullptr;       ///< where training stands; null: an all-zero moment
  uint64_t random_key = 0;                  ///< made of (seed, step) by the caller; the instance's name is mixed in
  at::Device device = at::kCPU;             ///< whose default generator the call draws from
  std::span<const uint64_t> sample_keys{};  ///< transforms: one key a sample
};

using Numbers = std::vector<std::pair<std::string, double>>;

/// Seeds the default generator of `device`, and the CPU's, from `key` as soon as this thread runs an operator that
/// draws random numbers; a call that draws none pays nothing. The last key armed counts, so draws inside backward are
/// determined by the last call before it.
void arm_random(uint64_t key, at::Device device);
/// Called by the operator table before a random operator, and before each call of a component of the exact tier.
void seed_if_armed();

/// The kdh_call of one instance and the storage behind its callbacks. Belongs to a component wrapper; not for sharing.
class Call {
 public:
  Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// Fills in everything for one call and arms the random numbers. `parts` may be null.
  void begin(const Arguments& params, std::span<const kdh_arg> inputs, Parts* parts, const CallSettings& settings,
             uint64_t component_key, bool seed_now);
  /// Where emitted tensors and numbers go during this call; null refuses them with a text. Set before begin.
  void collect(Outputs* outputs, const Wants* wants, Numbers* numbers);
  /// Drops the borrowed pointers of the call.
  void end();
  /// The port of an input that was written to since begin; empty where all are as they were.
  std::string_view changed_input() const { return versions_.changed({call_.inputs, call_.n_inputs}); }

  const kdh_call* get() const { return &call_; }

 private:
  friend struct CallEntry;

  kdh_call call_{};
  at::Device device_ = at::kCPU;  // of call_.generator
  Parts* parts_ = nullptr;
  Outputs* outputs_ = nullptr;
  const Wants* wants_ = nullptr;
  Numbers* numbers_ = nullptr;
  InputVersions versions_;
};

}  // namespace kdhost
