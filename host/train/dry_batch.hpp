// SPDX-License-Identifier: MIT
// One batch before training, to refuse runs that would silently distil nothing: terms that never reach the student,
// teachers that do not matter or would move, values that are not finite, parameters that nothing trains. Leaves no
// trace.
#pragma once

#include <string>
#include <vector>

#include "train/assembly.hpp"

namespace kdhost {

/// Throws one Error with everything found wrong (experiment; plugin when a component broke its own declaration);
/// returns notes for the user: what is odd but allowed.
std::vector<std::string> dry_batch(Assembly& assembly);

}  // namespace kdhost
