// SPDX-License-Identifier: MIT
// The callbacks of kdh_call and the lazy seeding of random numbers; see component_call.hpp.
#include "tensor/component_call.hpp"

#include <ATen/Context.h>

#include <algorithm>
#include <limits>
#include <mutex>

#include "base/text.hpp"
#include "tensor/host_table.hpp"
#include "tensor/operators.hpp"

namespace kdhost {

// ---- results by name

const at::Tensor* Outputs::find(std::string_view name) const {
  for (const Entry& entry : *this)
    if (entry.name == name) return &entry.value;
  return nullptr;
}

at::Tensor Outputs::operator[](std::string_view name) const {
  const at::Tensor* found = find(name);
  return found != nullptr ? *found : at::Tensor();
}

bool Outputs::add(std::string_view name, at::Tensor value) {
  if (find(name) != nullptr) return false;
  if (used_ == entries_.size())
    entries_.push_back({std::string(name), std::move(value)});
  else {
    Entry& entry = entries_[used_];
    if (entry.name != name) entry.name.assign(name);
    entry.value = std::move(value);
  }
  ++used_;
  return true;
}

void Outputs::clear() {
  for (std::size_t i = 0; i < used_; ++i) entries_[i].value.reset();
  used_ = 0;
}

bool Wants::has(std::string_view name) const {
  return all_ || std::find(names_.begin(), names_.end(), name) != names_.end();
}

// ---- random numbers

namespace {

struct ArmedSeed {
  uint64_t key = 0;
  at::Device device = at::kCPU;
  bool armed = false;
};
thread_local ArmedSeed armed_seed;

void seed(at::Device device, uint64_t key) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::lock_guard lock(generator.mutex());
  generator.set_current_seed(key);
}

// The last step of SplitMix64: spreads the bits of related keys over unrelated seeds.
uint64_t spread(uint64_t key) {
  key += 0x9e3779b97f4a7c15ull;
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ull;
  key = (key ^ (key >> 27)) * 0x94d049bb133111ebull;
  return key ^ (key >> 31);
}

const kdh_moment& no_moment() {
  static const kdh_moment moment = [] {
    kdh_moment made{};
    made.struct_size = sizeof made;
    made.base = std::numeric_limits<double>::quiet_NaN();
    return made;
  }();
  return moment;
}

}  // namespace

void arm_random(uint64_t key, at::Device device) { armed_seed = {key, device, true}; }

void seed_if_armed() {
  if (!armed_seed.armed) return;
  armed_seed.armed = false;
  seed(at::kCPU, armed_seed.key);
  if (armed_seed.device.type() != at::kCPU) seed(armed_seed.device, armed_seed.key);
}

// ---- callbacks

struct CallEntry {
  static Call& of(const kdh_call* call) { return *static_cast<Call*>(call->ctx); }

  static kdh_status emit(const kdh_call* given, kdh_str name, kdh_tensor handle) {
    return guarded([&] {
      Call& call = of(given);
      if (call.outputs_ == nullptr) throw HostRefusal{KDH_E_UNSUPPORTED, "this kind of component emits no tensors"};
      if (name.size == 0) throw HostRefusal{KDH_E_INVALID_ARGUMENT, "a result was emitted without a name"};
      if (handle == nullptr)
        throw HostRefusal{KDH_E_INVALID_ARGUMENT,
                          "result '" + std::string(view(name)) + "' was emitted without a tensor"};
      if (call.wants_ != nullptr && !call.wants_->has(view(name))) return;
      if (!call.outputs_->add(view(name), tensor(handle)))
        throw HostRefusal{KDH_E_INVALID_ARGUMENT, "result '" + std::string(view(name)) + "' was emitted twice"};
    });
  }

  static kdh_status emit_number(const kdh_call* given, kdh_str name, double value) {
    return guarded([&] {
      Call& call = of(given);
      if (call.numbers_ == nullptr) throw HostRefusal{KDH_E_UNSUPPORTED, "this kind of component emits no numbers"};
      for (const auto& [known, unused] : *call.numbers_)
        if (known == view(name)) throw HostRefusal{KDH_E_INVALID_ARGUMENT, "number '" + known + "' was emitted twice"};
      call.numbers_->emplace_back(std::string(view(name)), value);
    });
  }

  static int32_t wants(const kdh_call* given, kdh_str name) {
    const Call& call = of(given);
    return call.outputs_ != nullptr && (call.wants_ == nullptr || call.wants_->has(view(name))) ? 1 : 0;
  }

  static kdh_status write(const kdh_call* given, uint64_t slot, kdh_tensor value) {
    return guarded([&] {
      Call& call = of(given);
      if (call.parts_ == nullptr) throw HostRefusal{KDH_E_UNSUPPORTED, "this kind of component has no buffers"};
      call.parts_->write_later(static_cast<std::size_t>(slot), tensor(value));
    });
  }

  static kdh_status derived(const kdh_call* given, uint64_t key, kdh_derive_fn derive, void* ctx, kdh_tensor* out,
                            uint64_t n) {
    kdh_status status = KDH_OK;
    const kdh_status outer = guarded([&] {
      Call& call = of(given);
      const bool keep = (call.call_.flags & KDH_CALL_FROZEN) != 0 && call.parts_ != nullptr;
      if (keep) {
        const auto found = call.parts_->derived().find(key);
        if (found != call.parts_->derived().end()) {
          const auto& kept = found->second;
          if (kept.size() != n)
            throw HostRefusal{KDH_E_INVALID_ARGUMENT, "derived tensors of key " + std::to_string(key) + ": " +
                                                          std::to_string(n) + " asked for, " +
                                                          std::to_string(kept.size()) + " were made before"};
          for (uint64_t i = 0; i < n; ++i) out[i] = give(at::Tensor(kept[i]));
          return;
        }
      }
      std::fill_n(out, n, nullptr);
      status = derive(ctx, out, n);
      if (status != KDH_OK) {
        for (uint64_t i = 0; i < n; ++i) take(std::exchange(out[i], nullptr));
        return;
      }
      if (keep) {
        auto& kept = call.parts_->derived()[key];
        kept.reserve(n);
        for (uint64_t i = 0; i < n; ++i) kept.push_back(tensor(out[i]));
      }
    });
    return outer != KDH_OK ? outer : status;
  }
};

Call::Call() {
  call_.struct_size = sizeof call_;
  call_.host = &host_table();
  call_.ctx = this;
  call_.moment = &no_moment();
  call_.emit = CallEntry::emit;
  call_.emit_number = CallEntry::emit_number;
  call_.wants = CallEntry::wants;
  call_.write = CallEntry::write;
  call_.derived = CallEntry::derived;
}

void Call::collect(Outputs* outputs, const Wants* wants, Numbers* numbers) {
  outputs_ = outputs;
  wants_ = wants;
  numbers_ = numbers;
}

void Call::begin(const Arguments& params, std::span<const kdh_arg> inputs, Parts* parts, const CallSettings& settings,
                 uint64_t instance_key, bool seed_now) {
  parts_ = parts;
  call_.flags = settings.flags;
  call_.inputs = inputs.data();
  call_.n_inputs = inputs.size();
  versions_.note(inputs, (settings.flags & KDH_CALL_DRY) != 0);
  call_.params = params.values().data();
  call_.n_params = params.values().size();
  call_.parts = parts != nullptr ? parts->handles() : nullptr;
  call_.n_parts = parts != nullptr ? parts->size() : 0;
  if (call_.generator == nullptr || device_ != settings.device) {
    // The address of a default generator, which lives as long as the process.
    device_ = settings.device;
    call_.generator =
        reinterpret_cast<kdh_generator>(const_cast<at::Generator*>(&at::globalContext().defaultGenerator(device_)));
  }
  call_.moment = settings.moment != nullptr ? settings.moment : &no_moment();
  call_.sample_keys = settings.sample_keys.data();
  call_.n_sample_keys = settings.sample_keys.size();
  arm_random(spread(settings.random_key ^ spread(instance_key)), settings.device);
  if (seed_now) seed_if_armed();
}

void Call::end() {
  call_.inputs = nullptr;
  call_.n_inputs = 0;
  call_.sample_keys = nullptr;
  call_.n_sample_keys = 0;
}

}  // namespace kdhost
