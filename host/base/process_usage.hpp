// SPDX-License-Identifier: MIT
// What the kernel says about this process: its age and the most memory it held. Lowest layer; Linux.
#pragma once

#include <cstdint>
#include <string_view>

namespace kdhost {

/// Seconds since the process was started, to a hundredth; time before an `exec` counts. 0 where the kernel does not
/// tell.
double process_seconds();

/// The most memory that was resident at once, MiB. 0 where the kernel does not tell.
double peak_memory_mib();

/// The start of a process in the kernel's ticks after boot, from a text like that of /proc/self/stat; -1: not in it.
/// The name of the program may hold any character.
std::int64_t start_ticks(std::string_view stat);

}  // namespace kdhost
