// SPDX-License-Identifier: MIT
// Calling a loss and checking what it returns; see loss.hpp.
#include "tensor/loss.hpp"

#include "base/text.hpp"

namespace kdhost {

LossInstance::LossInstance(Origin origin, Creation creation)
    : Instance(KDH_KIND_LOSS, std::move(origin), std::move(creation)), table_(static_cast<const kdh_loss*>(vtable())) {
  if (!KDHOST_OFFERS(table_, compute))
    throw broken("create", "the table of functions has no 'compute'", "a complete table");
  want_terms(true);
}

at::Tensor LossInstance::compute(const CallSettings& settings) { return compute(no_parts_, settings); }

at::Tensor LossInstance::compute(Parts& parts, const CallSettings& settings) {
  if ((settings.flags & KDH_CALL_DRY) != 0 && parts.size() > 0) {
    Parts copy = parts.with_copied_buffers();
    at::Tensor value = call(copy, settings);
    remembers_ = copy.has_writes();
    return value;
  }
  return call(parts, settings);
}

at::Tensor LossInstance::call(Parts& parts, const CallSettings& settings) {
  terms_.clear();
  call_.begin(params(), inputs_.values(), &parts, settings, key(), seeds_at_once());
  kdh_tensor handle = nullptr;
  invoke("compute", [&] { return table_->compute(self(), call_.get(), &handle); });
  if (const std::string_view port = same_input(handle, inputs_.values()); !port.empty()) [[unlikely]] {
    // Not taken over: a plugin in C that forgets to retain it does not own it.
    throw broken("compute", "returned its input '" + std::string(port) + "' itself", "a new tensor");
  }
  at::Tensor value = take(handle);
  if (!sound_value(value, settings.device)) [[unlikely]]
    throw broken("compute", "returned " + tensor_text(value),
                 "a floating-point scalar (shape []) on " + settings.device.str());
  check_inputs("compute", call_);
  return value;
}

}  // namespace kdhost
