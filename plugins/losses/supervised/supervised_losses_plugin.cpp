// SPDX-License-Identifier: MIT
//
// Losses against the data set's labels.
#include "bce.hpp"
#include "cross_entropy.hpp"
#include "focal.hpp"
#include "mse.hpp"
#include "smooth_l1.hpp"

KDHOST_PLUGIN("kdhost.losses.supervised", "1.0.0", kdhost::plugins::CrossEntropy, kdhost::plugins::BinaryCrossEntropy,
              kdhost::plugins::MeanSquaredError, kdhost::plugins::SmoothL1, kdhost::plugins::Focal)
