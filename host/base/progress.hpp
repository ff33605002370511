// SPDX-License-Identifier: MIT
// The progress line on standard error: redrawn in place on a terminal, a plain line now and then elsewhere. Lowest
// layer.
#pragma once

#include <string>

namespace kdhost::progress {

/// The state of the current phase. Not on a terminal: at most one line in ten seconds.
void show(const std::string& line);
/// The end of a phase: a line that stays.
void done(const std::string& line);

}  // namespace kdhost::progress
