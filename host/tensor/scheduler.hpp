// SPDX-License-Identifier: MIT
// A scheduler component: the value of a number of the experiment at a moment of training. A pure function.
#pragma once

#include "tensor/instance.hpp"

namespace kdhost {

class SchedulerInstance : public Instance {
 public:
  SchedulerInstance(Origin origin, Creation creation);

  /// Error (plugin) when the component fails or the value is not finite. struct_size of `moment` is set here.
  double value(kdh_moment moment) const;

 private:
  const kdh_scheduler* table_ = nullptr;
};

}  // namespace kdhost
