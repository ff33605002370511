// SPDX-License-Identifier: MIT
//
// Logit standardisation, (z - mean) / (1e-7 + std) per sample with the n-1 standard deviation: the step of Sun, Ren,
// Li, Wang, Cao, CVPR 2024, arXiv 2403.01427, that other logit losses can take first.
#pragma once
#include "../loss_inputs.hpp"

namespace kdhost::plugins {

/// A constant row becomes 0 and gets no gradient: through its own scale it would be 1e7 times too large.
inline Tensor standardized(const Tensor& z) {
  const Tensor varies = gt(amax(z, 1, true), amin(z, 1, true));
  const Tensor centred = z - z.mean({1}, true);
  return where(varies, centred / (std(z, 1, 1, true) + 1e-7), zeros_like(z));
}

/// Two standardised logits are always +-0.707: they say only which class is larger.
inline void warn_if_two_classes(const LogitPair& z, WarnOnce& warn) {
  if (z.classes() == 2)
    warn(
        "two standardised logits are always +-0.707: with two classes the loss sees only which one is larger, and its "
        "gradient is "
        "of the order of the epsilon");
}

}  // namespace kdhost::plugins
