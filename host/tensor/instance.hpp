// SPDX-License-Identifier: MIT
// What the wrappers of all six kinds share: creating and destroying an instance of a component, and turning a status
// and text from a plugin into an Error that says which component, from which file, asked for by which line, in which
// function.
#pragma once

#include <kdhost/abi.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.hpp"
#include "base/in_charge.hpp"
#include "tensor/arguments.hpp"
#include "tensor/component_call.hpp"
#include "tensor/host_table.hpp"
#include "tensor/parts.hpp"

namespace kdhost {

/// Which component this is and who asked for it. All error texts of a wrapper are made of this.
struct Origin {
  const kdh_component* component = nullptr;  ///< lives as long as the process (libraries are never unloaded)
  kdh_tier tier = KDH_TIER_PORTABLE;
  std::string plugin_file;  ///< for messages
  Place place;              ///< the `use` of the experiment, or the option of the command line
  std::string name;         ///< the instance in the experiment: "student", "loss.kd", "data.transform.crop"
};

/// The shape of a bound port as a component sees it when it is created; -1 where it varies from batch to batch.
struct PortShape {
  std::string port;
  std::vector<int64_t> sizes;
  at::ScalarType dtype = at::kFloat;
};

/// What an instance is created with.
struct Creation {
  Arguments params;               ///< all declared parameters, checked, defaults filled in
  std::vector<PortShape> shapes;  ///< losses and models
  Arguments facts;                ///< "classes", "samples", "labels", "data_places"
};

class Instance {
 public:
  /// Creates the instance. Error (plugin, or data when the status is KDH_E_DATA) when the component refuses or hands
  /// back an incomplete table. Calls the plugin: [main] thread only.
  Instance(kdh_kind kind, Origin origin, Creation creation);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  const Origin& origin() const { return origin_; }
  const kdh_component& description() const { return *origin_.component; }
  std::string_view id() const { return view(origin_.component->id); }
  /// "loss 'kdhost.kd' of libkd.so": how messages name it.
  const std::string& words() const { return charge_->words; }
  /// The parameters of the next call; schedules change numbers in them.
  Arguments& params() { return creation_.params; }
  const Arguments& params() const { return creation_.params; }
  /// What the instance declared; empty for kinds that declare nothing. Shared by all Parts made for it.
  const std::shared_ptr<const PartList>& part_list() const { return part_list_; }

  /// The Error for a status that a plugin function returned, or for a broken promise found by the host.
  /// `function`: "compute", "forward" …; `text`: what the plugin said.
  Error failure(kdh_status status, std::string_view function, std::string_view text) const;
  Error broken(std::string_view function, std::string what, std::string expected) const;

 protected:
  /// The table as the plugin gave it; the kind's wrapper checks the functions it needs with `offers`.
  const void* vtable() const { return vtable_; }
  void* self() const { return self_; }
  /// Key that tells this instance's random numbers from those of other instances.
  uint64_t key() const { return key_; }
  bool seeds_at_once() const { return origin_.tier == KDH_TIER_EXACT; }

  /// Calls `function(self, …)`, keeps exceptions of a careless plugin from passing, throws failure(…) on a status.
  /// While it runs the component is in charge of the thread. `name`: a literal.
  template <class Function>
  void invoke(const char* name, Function&& function) const;
  /// Throws broken(…) where the call has changed one of its inputs; made after each call that has some.
  void check_inputs(const char* function, const Call& call) const;

 private:
  void destroy() noexcept;
  [[noreturn]] void rethrow(std::string_view function) const;
  [[noreturn]] void refuse_changed_input(const char* function, std::string_view port) const;
  [[noreturn]] void fail(kdh_status status, std::string_view function) const;

  Origin origin_;
  const Charge* charge_;
  Creation creation_;
  std::shared_ptr<const PartList> part_list_;
  void* self_ = nullptr;
  const void* vtable_ = nullptr;
  uint64_t key_ = 0;
};

template <class Function>
void Instance::invoke(const char* name, Function&& function) const {
  const InCharge guard(*charge_, name);
  host_error_fresh = false;  // a text left by an earlier failure must not explain this one
  kdh_status status = KDH_OK;
  try {
    status = function();
  } catch (...) {
    rethrow(name);
  }
  if (status != KDH_OK) [[unlikely]]
    fail(status, name);
}

inline void Instance::check_inputs(const char* function, const Call& call) const {
  if (const std::string_view port = call.changed_input(); !port.empty()) [[unlikely]]
    refuse_changed_input(function, port);
}

/// True when a table that a plugin handed over is long enough to have `member`, and has it.
#define KDHOST_OFFERS(table, member)                                                                            \
  ((table)->struct_size >= offsetof(std::remove_cvref_t<decltype(*(table))>, member) + sizeof(table)->member && \
   (table)->member != nullptr)

}  // namespace kdhost
