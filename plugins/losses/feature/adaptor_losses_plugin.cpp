// SPDX-License-Identifier: MIT
//
// Losses between hidden layers with one trained module for each pair of taps.
#include "ab.hpp"
#include "hint.hpp"
#include "ickd.hpp"
#include "mgd.hpp"
#include "ofd.hpp"
#include "pad_l2.hpp"
#include "srd.hpp"
#include "vid.hpp"

KDHOST_PLUGIN("kdhost.losses.adaptor", "1.0.0", kdhost::plugins::Hint, kdhost::plugins::VariationalInformation,
              kdhost::plugins::ActivationBoundaries, kdhost::plugins::FeatureOverhaul, kdhost::plugins::InterChannel,
              kdhost::plugins::MaskedGenerative, kdhost::plugins::SimpleRecipe, kdhost::plugins::PrimeAware)
