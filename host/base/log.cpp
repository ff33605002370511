// SPDX-License-Identifier: MIT
// Writes whole lines to standard error with write(2), so that lines of several threads never mix. Lowest layer.
#include "base/log.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <string_view>

namespace kdhost::log {
namespace {

constexpr std::string_view kRed = "\033[31m";
constexpr std::string_view kYellow = "\033[33m";
constexpr std::string_view kReset = "\033[0m";

std::atomic<bool> is_quiet{false};

void write_line(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const std::string text = line + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const auto written = ::write(STDERR_FILENO, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    // Nobody reads standard error any more: there is no better place to say so.
    if (written <= 0) return;
    done += static_cast<std::size_t>(written);
  }
}

std::string label(std::string_view word, std::string_view colour) {
  if (!coloured()) return std::string(word);
  return std::string(colour) + std::string(word) + std::string(kReset);
}

}  // namespace

void set_quiet(bool quiet) { is_quiet = quiet; }
bool quiet() { return is_quiet; }

bool on_terminal() {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  return terminal;
}

bool coloured() {
  static const bool colour = [] {
    const char* no_colour = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    const bool refused = no_colour != nullptr && *no_colour != '\0';
    const bool dumb = term == nullptr || std::string_view(term) == "dumb";
    return on_terminal() && !refused && !dumb;
  }();
  return colour;
}

void info(const std::string& line) {
  if (!is_quiet) write_line(line);
}

void warn(const std::string& line) { write_line(label("warning: ", kYellow) + line); }

void error(const Error& error) {
  for (const Message& message : error.messages()) write_line(label("error: ", kRed) + message.text());
}

}  // namespace kdhost::log
