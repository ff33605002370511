// SPDX-License-Identifier: MIT
//
// Losses between hidden layers, sample by sample.
#include "attention.hpp"
#include "hint.hpp"

KDHOST_PLUGIN("kdhost.losses.feature", "1.0.0", kdhost::plugins::Hint, kdhost::plugins::Attention)
