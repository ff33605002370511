// SPDX-License-Identifier: MIT
// SIGINT and SIGTERM: the handler only sets a flag, which the training loop looks at between two steps. A second signal
// ends the program at once; files on disk are whole at any instant. Lowest layer.
#pragma once

namespace kdhost {

/// Installs the handlers; once, at the start of a command that trains.
void watch_for_interrupts();
/// True from the first signal on.
bool interrupted();
/// The signal's number, 0 before.
int interrupt_signal();
/// For tests: as if a signal had come, or none yet.
void set_interrupted(int signal);

}  // namespace kdhost
