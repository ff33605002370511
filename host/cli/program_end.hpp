// SPDX-License-Identifier: MIT
// Where errors end: the outermost function of both programs, kdhost and kdhost-engine.
#pragma once

#include <functional>

namespace kdhost {

/// Calls `answer` and returns the exit code for the operating system: its result, or that of the error it ended with,
/// which is told on standard error. Results that could not be written are an error too.
int exit_code_of(const std::function<int()>& answer);

}  // namespace kdhost
