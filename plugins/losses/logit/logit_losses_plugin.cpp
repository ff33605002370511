// SPDX-License-Identifier: MIT
//
// Losses between the logits of student and teacher.
#include "dist.hpp"
#include "dkd.hpp"
#include "kd.hpp"
#include "logit_mse.hpp"

KDHOST_PLUGIN("kdhost.losses.logit", "1.0.0", kdhost::plugins::Kd, kdhost::plugins::LogitMse, kdhost::plugins::Dkd,
              kdhost::plugins::Dist)
