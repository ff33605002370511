// SPDX-License-Identifier: MIT
// What is said when the process dies of a signal, or when a plugin ends it with exit: which component was in charge, in
// which step, which checkpoint is whole. Then the signal takes its ordinary course, so exit status and core dump are
// those of a program without handlers. Lowest layer.
#pragma once

namespace kdhost {

/// Installs handlers for SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT, each only where nobody else (a sanitizer) has
/// one, and one for exit called by a plugin. Once, at the start of a program that runs plugins, on its main thread.
void watch_for_crashes();

/// Undoes it: for a process forked to try out a plugin, whose end somebody else judges.
void leave_crashes_alone();

}  // namespace kdhost
