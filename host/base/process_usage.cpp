// SPDX-License-Identifier: MIT
#include "base/process_usage.hpp"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace kdhost {

std::int64_t start_ticks(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return -1;
  std::istringstream fields{std::string(stat.substr(name_end + 1))};
  std::string field;
  for (int number = 3; number < 22; ++number) fields >> field;  // the name is field 2, the start field 22
  std::int64_t ticks = -1;
  return fields >> ticks ? ticks : -1;
}

double process_seconds() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::int64_t ticks = start_ticks(text);
  timespec now{};
  if (ticks < 0 || ::clock_gettime(CLOCK_BOOTTIME, &now) != 0) return 0.0;
  const double started = static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return std::max(0.0, static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) - started);
}

double peak_memory_mib() {
  // Not getrusage(): its figure outlives an `exec` and so may be that of the program before.
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("VmHWM:", 0) != 0) continue;
    double kib = 0.0;
    std::istringstream(line.substr(6)) >> kib;
    return kib / 1024.0;
  }
  return 0.0;
}

}  // namespace kdhost
