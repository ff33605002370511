// SPDX-License-Identifier: MIT
// The closing table of a run: teacher, student alone, student distilled, what distillation gained, and in plain words
// whether it helped. `kdhost run` prints it.
#pragma once

#include <string>

#include "train/results.hpp"

namespace kdhost {

/// The whole text, ending with a newline. Plain text without colour codes.
std::string closing_table(const RunResult& result);

}  // namespace kdhost
