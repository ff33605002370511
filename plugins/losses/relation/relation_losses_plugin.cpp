// SPDX-License-Identifier: MIT
//
// Losses between relations: of channels, of positions, of layers, of samples.
#include "affinity.hpp"
#include "cc.hpp"
#include "fsp.hpp"
#include "gram.hpp"
#include "pkt.hpp"
#include "rkd.hpp"
#include "sp.hpp"

KDHOST_PLUGIN("kdhost.losses.relation", "1.0.0", kdhost::plugins::Gram, kdhost::plugins::Fsp,
              kdhost::plugins::SimilarityPreserving, kdhost::plugins::RelationalKd, kdhost::plugins::Pkt,
              kdhost::plugins::CorrelationCongruence, kdhost::plugins::Affinity)
