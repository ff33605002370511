// SPDX-License-Identifier: MIT
//
// Losses between the logits of student and teacher: divergences, distances and correlations.
#include "dist.hpp"
#include "dkd.hpp"
#include "jsd.hpp"
#include "kd.hpp"
#include "logit_cosine.hpp"
#include "logit_mse.hpp"
#include "lskd.hpp"
#include "mft.hpp"
#include "nkd.hpp"
#include "skew_kl.hpp"
#include "ttm.hpp"
#include "tvd.hpp"
#include "wsld.hpp"

KDHOST_PLUGIN("kdhost.losses.logit", "1.1.0", kdhost::plugins::Kd, kdhost::plugins::LogitMse, kdhost::plugins::Dkd,
              kdhost::plugins::Dist, kdhost::plugins::Lskd, kdhost::plugins::Wsld, kdhost::plugins::Ttm,
              kdhost::plugins::Wttm, kdhost::plugins::Nkd, kdhost::plugins::Jsd, kdhost::plugins::ReverseKl,
              kdhost::plugins::SkewKl, kdhost::plugins::Tvd, kdhost::plugins::LogitCosine, kdhost::plugins::Mft)
