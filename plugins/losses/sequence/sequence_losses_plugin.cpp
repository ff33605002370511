// SPDX-License-Identifier: MIT
//
// Losses of sequences, with padding masks.
#include "attention_maps.hpp"
#include "hidden.hpp"
#include "masked_kd.hpp"

KDHOST_PLUGIN("kdhost.losses.sequence", "1.0.0", kdhost::plugins::HiddenMse, kdhost::plugins::HiddenCosine,
              kdhost::plugins::Patient, kdhost::plugins::AttentionMse, kdhost::plugins::AttentionCe,
              kdhost::plugins::MaskedKd)
