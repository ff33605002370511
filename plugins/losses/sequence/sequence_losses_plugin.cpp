// SPDX-License-Identifier: MIT
//
// Losses of sequences, with padding masks.
#include "att_ce.hpp"
#include "att_mse.hpp"
#include "hid_cosine.hpp"
#include "hid_mse.hpp"
#include "masked_kd.hpp"
#include "patient.hpp"

KDHOST_PLUGIN("kdhost.losses.sequence", "1.0.0", kdhost::plugins::HiddenMse, kdhost::plugins::HiddenCosine,
              kdhost::plugins::Patient, kdhost::plugins::AttentionMse, kdhost::plugins::AttentionCe,
              kdhost::plugins::MaskedKd)
