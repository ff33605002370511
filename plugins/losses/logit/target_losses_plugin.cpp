// SPDX-License-Identifier: MIT
//
// Losses on logits with something of their own: a learned temperature, a head, feature maps, a gate, several levels.
#include "ctkd.hpp"
#include "dist_plus.hpp"
#include "gated_kd.hpp"
#include "mlkd.hpp"
#include "uskd.hpp"

KDHOST_PLUGIN("kdhost.losses.targets", "1.0.0", kdhost::plugins::Ctkd, kdhost::plugins::DistPlus,
              kdhost::plugins::GatedKd, kdhost::plugins::Mlkd, kdhost::plugins::Uskd)
