// SPDX-License-Identifier: MIT
// Running a model and checking that it gave what was asked for; see model.hpp.
#include "tensor/model.hpp"

#include "base/text.hpp"

namespace kdhost {

ModelInstance::ModelInstance(Origin origin, Creation creation)
    : Instance(KDH_KIND_MODEL, std::move(origin), std::move(creation)),
      table_(static_cast<const kdh_model*>(vtable())) {
  if (!KDHOST_OFFERS(table_, forward))
    throw broken("create", "the table of functions has no 'forward'", "a complete table");
}

void ModelInstance::forward(Parts& parts, const CallSettings& settings, const Wants& wants, Outputs& out) {
  if ((settings.flags & KDH_CALL_DRY) != 0 && parts.size() > 0) {
    Parts copy = parts.with_copied_buffers();
    call(copy, settings, wants, out);
    return;
  }
  call(parts, settings, wants, out);
  if ((settings.flags & KDH_CALL_TRAINING) == 0) parts.apply_writes();
}

void ModelInstance::call(Parts& parts, const CallSettings& settings, const Wants& wants, Outputs& out) {
  out.clear();
  call_.collect(&out, &wants, nullptr);
  call_.begin(params(), inputs_.values(), &parts, settings, key(), seeds_at_once());
  try {
    invoke("forward", [&] { return table_->forward(self(), call_.get()); });
  } catch (...) {
    call_.collect(nullptr, nullptr, nullptr);
    parts.discard_writes();
    throw;
  }
  call_.collect(nullptr, nullptr, nullptr);
  for (const std::string& name : wants.names()) {
    if (out.find(name) != nullptr) continue;
    std::vector<std::string> given;
    for (const auto& entry : out) given.push_back(entry.name);
    throw broken("forward", "emitted no result named '" + name + "' (" + (given.empty() ? "none" : join(given)) + ")",
                 "all results that were asked for: " + join(wants.names()));
  }
  check_inputs("forward", call_);
  if (const auto fault = known_.fault(out, inputs_.values(), settings.device); fault) [[unlikely]]
    throw broken("forward", fault->what, fault->expected);
  if ((settings.flags & KDH_CALL_TRAINING) != 0 && lacks_gradient(out, parts)) [[unlikely]]
    throw broken("forward", "gave results without a gradient, though parts of it are trained",
                 "results that are computed from its parts by operators");
}

}  // namespace kdhost
