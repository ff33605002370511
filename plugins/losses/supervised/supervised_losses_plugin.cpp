// SPDX-License-Identifier: MIT
//
// Losses against the data set's labels.
#include "cross_entropy.hpp"

KDHOST_PLUGIN("kdhost.losses.supervised", "1.0.0", kdhost::plugins::CrossEntropy)
