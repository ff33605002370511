// SPDX-License-Identifier: MIT
// A transform component. Step 4 in the life of a batch: changes fields of a batch on the device, each sample with its
// own random numbers.
#pragma once

#include "tensor/instance.hpp"

namespace kdhost {

class TransformInstance : public Instance {
 public:
  TransformInstance(Origin origin, Creation creation);

  /// The same for every sample and epoch, applied in evaluation too.
  bool fixed() const { return (description().flags & KDH_COMPONENT_FIXED) != 0; }

  /// The batch's fields it reads ("batch.input"): add ports once, set tensors before each apply.
  Inputs& inputs() { return inputs_; }
  const Inputs& inputs() const { return inputs_; }

  /// Fills `changed` with the fields it changed. settings.sample_keys has one key a sample. Runs without gradient.
  /// Error (plugin) when the component fails or an emitted field is undefined.
  void apply(Parts& parts, const CallSettings& settings, Outputs& changed);
  void apply(const CallSettings& settings, Outputs& changed);

 private:
  Inputs inputs_;
  Parts no_parts_;
  Call call_;
  const kdh_transform* table_ = nullptr;
};

}  // namespace kdhost
