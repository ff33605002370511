// SPDX-License-Identifier: MIT
#include "base/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "base/log.hpp"

namespace kdhost::progress {
namespace {
bool drawn = false;

std::string fitted(const std::string& line) {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return line;
  return line.size() < size.ws_col ? line : line.substr(0, size.ws_col - 1u);
}
}  // namespace

void show(const std::string& line) {
  if (log::quiet()) return;
  if (log::on_terminal()) {
    std::fprintf(stderr, "\r\x1b[K%s", fitted(line).c_str());
    std::fflush(stderr);
    drawn = true;
    return;
  }
  static auto last = std::chrono::steady_clock::now();
  const auto now = std::chrono::steady_clock::now();
  if (now - last < std::chrono::seconds(10)) return;
  last = now;
  log::info(line);
}

void done(const std::string& line) {
  if (drawn) {
    std::fprintf(stderr, "\r\x1b[K");
    drawn = false;
  }
  log::info(line);
}

}  // namespace kdhost::progress
