// SPDX-License-Identifier: MIT
// A loss component. Step 7 in the life of a batch: each [[loss]] term is one of these, called with the tensors its
// ports bind.
#pragma once

#include "tensor/instance.hpp"

namespace kdhost {

class LossInstance : public Instance {
 public:
  LossInstance(Origin origin, Creation creation);

  /// The tensors bound to its ports: add ports once, set tensors before each compute.
  Inputs& inputs() { return inputs_; }
  const Inputs& inputs() const { return inputs_; }

  /// The value: a defined floating-point tensor of shape [] on settings.device, with history where inputs have one.
  /// Error (plugin) when the component fails or returns anything else. Values written to buffers stay pending in
  /// `parts` (with KDH_CALL_DRY they are thrown away and buffers are protected by copies).
  at::Tensor compute(Parts& parts, const CallSettings& settings);
  /// The last call with KDH_CALL_DRY wrote to a buffer: the loss remembers something for later steps.
  bool remembers() const { return remembers_; }
  /// For losses without parts.
  at::Tensor compute(const CallSettings& settings);

  /// Sub-terms that the last compute named, for reports, with their history.
  const Outputs& terms() const { return terms_; }
  /// Whether compute keeps them; it does unless told. Losses ask before they compute what is only for reports, so
  /// training wants them at the steps that it logs.
  void want_terms(bool on) { call_.collect(&terms_, on ? nullptr : &no_terms_, nullptr); }

 private:
  at::Tensor call(Parts& parts, const CallSettings& settings);

  Inputs inputs_;
  Parts no_parts_;
  Call call_;
  Outputs terms_;
  Wants no_terms_{std::vector<std::string>()};
  bool remembers_ = false;
  const kdh_loss* table_ = nullptr;
};

}  // namespace kdhost
