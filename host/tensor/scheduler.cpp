// SPDX-License-Identifier: MIT
// Asking a scheduler for a value; see scheduler.hpp.
#include "tensor/scheduler.hpp"

#include <cmath>

#include "base/text.hpp"

namespace kdhost {

SchedulerInstance::SchedulerInstance(Origin origin, Creation creation)
    : Instance(KDH_KIND_SCHEDULER, std::move(origin), std::move(creation)),
      table_(static_cast<const kdh_scheduler*>(vtable())) {
  if (!KDHOST_OFFERS(table_, value))
    throw broken("create", "the table of functions has no 'value'", "a complete table");
}

double SchedulerInstance::value(kdh_moment moment) const {
  moment.struct_size = sizeof moment;
  double result = 0.0;
  const auto values = params().values();
  invoke("value", [&] { return table_->value(self(), &moment, values.data(), values.size(), &result); });
  if (!std::isfinite(result))
    throw broken("value",
                 "returned " + shortest(result) + " at step " + std::to_string(moment.step) + " of " +
                     std::to_string(moment.steps),
                 "a finite number");
  return result;
}

}  // namespace kdhost
