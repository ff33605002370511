// SPDX-License-Identifier: MIT
//
// Losses between the logits of student and teacher: other divergences, and those of the most probable classes.
#include "jsd.hpp"
#include "ranking.hpp"
#include "skew_kl.hpp"
#include "sparse_kl.hpp"
#include "ttm.hpp"
#include "tvd.hpp"

KDHOST_PLUGIN("kdhost.losses.divergence", "1.0.0", kdhost::plugins::Jsd, kdhost::plugins::ReverseKl,
              kdhost::plugins::SkewKl, kdhost::plugins::Tvd, kdhost::plugins::Ttm, kdhost::plugins::Wttm,
              kdhost::plugins::SparseKl, kdhost::plugins::HingeRanking, kdhost::plugins::LogisticRanking)
