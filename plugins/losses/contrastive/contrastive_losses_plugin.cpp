// SPDX-License-Identifier: MIT
//
// Losses that tell a sample from others.
#include "crd.hpp"
#include "sskd.hpp"

KDHOST_PLUGIN("kdhost.losses.contrastive", "1.0.0", kdhost::plugins::ContrastiveRepresentation,
              kdhost::plugins::SelfSupervisedKd)
