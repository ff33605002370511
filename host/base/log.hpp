// SPDX-License-Identifier: MIT
// Lines for the user on standard error; standard output is left to results. Safe from several threads: a line is
// written whole. Lowest layer.
#pragma once

#include <string>

#include "base/error.hpp"

namespace kdhost::log {

/// Silences info() for the rest of the process; warnings and errors are always written.
void set_quiet(bool quiet);
bool quiet();

/// Standard error is a terminal; progress that redraws itself is allowed only there.
bool on_terminal();
/// Terminal, NO_COLOR not set, TERM not "dumb".
bool coloured();

/// One line of information.
void info(const std::string& line);
/// "warning: " and the line, yellow on a terminal.
void warn(const std::string& line);
/// "error: " before each message, red on a terminal.
void error(const Error& error);

}  // namespace kdhost::log
