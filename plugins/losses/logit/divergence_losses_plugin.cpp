// SPDX-License-Identifier: MIT
//
// Losses between the logits of student and teacher: other divergences, and those of the most probable classes.
#include "hinge_ranking.hpp"
#include "jsd.hpp"
#include "logistic_ranking.hpp"
#include "reverse_kl.hpp"
#include "skew_kl.hpp"
#include "sparse_kl.hpp"
#include "ttm.hpp"
#include "tvd.hpp"
#include "wttm.hpp"

KDHOST_PLUGIN("kdhost.losses.divergence", "1.0.0", kdhost::plugins::Jsd, kdhost::plugins::ReverseKl,
              kdhost::plugins::SkewKl, kdhost::plugins::Tvd, kdhost::plugins::Ttm, kdhost::plugins::Wttm,
              kdhost::plugins::SparseKl, kdhost::plugins::HingeRanking, kdhost::plugins::LogisticRanking)
