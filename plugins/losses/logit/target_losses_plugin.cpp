// SPDX-License-Identifier: MIT
//
// Losses on logits that choose, learn or rank what the student is compared with.
#include "ctkd.hpp"
#include "dist_plus.hpp"
#include "gated_kd.hpp"
#include "mlkd.hpp"
#include "ranking.hpp"
#include "sparse_kl.hpp"
#include "uskd.hpp"

KDHOST_PLUGIN("kdhost.losses.targets", "1.0.0", kdhost::plugins::Ctkd, kdhost::plugins::DistPlus,
              kdhost::plugins::GatedKd, kdhost::plugins::HingeRanking, kdhost::plugins::LogisticRanking,
              kdhost::plugins::Mlkd, kdhost::plugins::SparseKl, kdhost::plugins::Uskd)
