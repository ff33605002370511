// SPDX-License-Identifier: MIT
//
// Losses between the logits of student and teacher: soft targets and what was made of them.
#include "dist.hpp"
#include "dkd.hpp"
#include "kd.hpp"
#include "logit_cosine.hpp"
#include "logit_mse.hpp"
#include "lskd.hpp"
#include "mft.hpp"
#include "nkd.hpp"
#include "wsld.hpp"

KDHOST_PLUGIN("kdhost.losses.logit", "1.1.0", kdhost::plugins::Kd, kdhost::plugins::LogitMse, kdhost::plugins::Dkd,
              kdhost::plugins::Dist, kdhost::plugins::Lskd, kdhost::plugins::Wsld, kdhost::plugins::Nkd,
              kdhost::plugins::LogitCosine, kdhost::plugins::Mft)
