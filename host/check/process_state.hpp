// SPDX-License-Identifier: MIT
// What of a process a plugin must leave as it found it: threads, signal handlers, open files, LibTorch's settings,
// locale, floating-point state. Taken before and after the plugin's code ran, and compared.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kdhost::check {

struct ProcessState {
  int threads = 0;
  bool has_children = false;
  /// Handler and flags of each signal, and the mask of this thread, in words.
  std::map<int, std::string> signals{};
  /// What each open descriptor stands for.
  std::map<int, std::string> descriptors{};
  /// Everything else by name ("the locale") and value ("C").
  std::map<std::string, std::string> settings{};
};

ProcessState process_state();

/// "the locale: 'C' before, 'de_DE' after", for each setting that differs.
std::vector<std::string> changed_settings(const ProcessState& before, const ProcessState& after);
/// "SIGINT", for each signal whose handling differs.
std::vector<std::string> changed_signals(const ProcessState& before, const ProcessState& after);
/// "0 is closed", "7 is open", "2 is another file".
std::vector<std::string> changed_descriptors(const ProcessState& before, const ProcessState& after);

}  // namespace kdhost::check
