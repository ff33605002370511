// SPDX-License-Identifier: MIT
//
// Losses between hidden layers, sample by sample, that compare the taps as they are.
#include "attention.hpp"
#include "cat.hpp"
#include "cwd.hpp"
#include "kdsvd.hpp"
#include "nst.hpp"
#include "pkd.hpp"

KDHOST_PLUGIN("kdhost.losses.feature", "1.0.0", kdhost::plugins::Attention, kdhost::plugins::NeuronSelectivity,
              kdhost::plugins::ChannelWise, kdhost::plugins::PearsonMaps, kdhost::plugins::ClassAttention,
              kdhost::plugins::SingularVectors)
