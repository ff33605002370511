// SPDX-License-Identifier: MIT
//
// Losses of a student that teaches itself.
#include "byot.hpp"

KDHOST_PLUGIN("kdhost.losses.self", "1.0.0", kdhost::plugins::BeYourOwnTeacher)
