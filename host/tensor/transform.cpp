// SPDX-License-Identifier: MIT
// Applying a transform to a batch; see transform.hpp.
#include "tensor/transform.hpp"

#include <ATen/core/grad_mode.h>

namespace kdhost {

TransformInstance::TransformInstance(Origin origin, Creation creation)
    : Instance(KDH_KIND_TRANSFORM, std::move(origin), std::move(creation)),
      table_(static_cast<const kdh_transform*>(vtable())) {
  if (!KDHOST_OFFERS(table_, apply))
    throw broken("create", "the table of functions has no 'apply'", "a complete table");
}

void TransformInstance::apply(const CallSettings& settings, Outputs& changed) { apply(no_parts_, settings, changed); }

void TransformInstance::apply(Parts& parts, const CallSettings& settings, Outputs& changed) {
  const at::NoGradGuard no_grad;
  changed.clear();
  call_.collect(&changed, nullptr, nullptr);
  call_.begin(params(), inputs_.values(), &parts, settings, key(), seeds_at_once());
  try {
    invoke("apply", [&] { return table_->apply(self(), call_.get()); });
  } catch (...) {
    call_.collect(nullptr, nullptr, nullptr);
    throw;
  }
  call_.collect(nullptr, nullptr, nullptr);
  check_inputs("apply", call_);
  for (const auto& entry : changed)
    if (entry.value.device().type() != settings.device.type()) [[unlikely]]
      throw broken("apply", "emitted field '" + entry.name + "' as " + tensor_text(entry.value),
                   "a tensor on " + settings.device.str());
}

}  // namespace kdhost
