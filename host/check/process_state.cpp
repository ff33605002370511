// SPDX-License-Identifier: MIT
// Looking at this process from inside; see process_state.hpp.
#include "check/process_state.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/DefaultDtype.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cfenv>
#include <charconv>
#include <clocale>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <locale>
#include <mutex>

#include "base/hash.hpp"
#include "tensor/handle.hpp"

namespace kdhost::check {
namespace {

namespace fs = std::filesystem;

// Rounding, flushing of denormal numbers and trapped exceptions; not the exceptions that were raised.
std::string floating_point_state() {
#if defined(__x86_64__)
  char text[32];
  std::snprintf(text, sizeof text, "%04x", static_cast<unsigned>(__builtin_ia32_stmxcsr()) & ~0x3fU);
  return text;
#elif defined(__aarch64__)
  std::uint64_t control = 0;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  return std::to_string(control);
#else
  return std::to_string(std::fegetround());
#endif
}

std::string random_state() {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  const std::lock_guard lock(generator.mutex());
  const at::Tensor state = generator.get_state();
  return hash_text({static_cast<const char*>(state.const_data_ptr()), state.nbytes()}).hex();
}

std::string signal_words(int number) {
  struct sigaction now {};
  if (::sigaction(number, nullptr, &now) != 0) return {};
  char text[64];
  std::snprintf(text, sizeof text, "%p %x", reinterpret_cast<void*>(now.sa_handler),
                static_cast<unsigned>(now.sa_flags));
  return text;
}

std::string mask_words() {
  sigset_t mask;
  ::sigemptyset(&mask);
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  std::string words;
  for (int number = 1; number < NSIG; ++number) words += ::sigismember(&mask, number) == 1 ? '1' : '0';
  return words;
}

bool has_child_processes() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

std::string environment_hash() {
  std::string all;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable)
    all += std::string(*variable) + '\n';
  return hash_text(all).hex();
}

std::map<int, std::string> open_descriptors() {
  std::map<int, std::string> found;
  std::error_code failed;
  const fs::path folder = "/proc/self/fd";
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    const std::string name = it->path().filename();
    int number = -1;
    std::from_chars(name.data(), name.data() + name.size(), number);
    std::error_code gone;
    const std::string target = fs::read_symlink(it->path(), gone).string();
    // The descriptor by which this folder is read is not one of the plugin's.
    if (!gone && target.find("/proc/") != 0) found[number] = target;
  }
  return found;
}

// "changed" where the values themselves say nothing to a reader.
std::string change_words(const std::string& name, const std::string& before, const std::string& after) {
  const bool digest = before.size() == 32 && after.size() == 32;
  if (digest) return name + " changed";
  return name + " is " + after + ", it was " + before;
}

}  // namespace

ProcessState process_state() {
  ProcessState state;
  std::error_code failed;
  state.threads = static_cast<int>(std::distance(fs::directory_iterator("/proc/self/task", failed), {}));
  state.has_children = has_child_processes();
  for (int number = 1; number < NSIG; ++number) state.signals[number] = signal_words(number);
  state.signals[0] = mask_words();
  state.descriptors = open_descriptors();
  auto& s = state.settings;
  s["the gradient mode"] = at::GradMode::is_enabled() ? "on" : "off";
  s["the default dtype"] = dtype_name(c10::get_default_dtype_as_scalartype());
  s["the number of LibTorch's threads"] = std::to_string(at::get_num_threads());
  s["the state of LibTorch's random generator"] = random_state();
  s["the flushing of denormal numbers and the rounding (floating-point control)"] = floating_point_state();
  const char* locale = std::setlocale(LC_ALL, nullptr);
  s["the C locale"] = locale != nullptr ? locale : "unknown";
  s["the C++ locale"] = std::locale().name();
  s["the current folder"] = fs::current_path(failed).string();
  s["the environment"] = environment_hash();
  const mode_t mask = ::umask(0);
  ::umask(mask);
  s["the file mode mask"] = std::to_string(mask);
  return state;
}

std::vector<std::string> changed_settings(const ProcessState& before, const ProcessState& after) {
  std::vector<std::string> changes;
  for (const auto& [name, value] : before.settings) {
    const std::string& now = after.settings.at(name);
    if (now != value) changes.push_back(change_words(name, value, now));
  }
  return changes;
}

std::vector<std::string> changed_signals(const ProcessState& before, const ProcessState& after) {
  std::vector<std::string> changes;
  for (const auto& [number, words] : before.signals) {
    if (after.signals.at(number) == words) continue;
    const char* name = number == 0 ? nullptr : ::sigabbrev_np(number);
    changes.push_back(number == 0       ? "the mask of blocked signals"
                      : name != nullptr ? "SIG" + std::string(name)
                                        : "signal " + std::to_string(number));
  }
  return changes;
}

std::vector<std::string> changed_descriptors(const ProcessState& before, const ProcessState& after) {
  std::vector<std::string> changes;
  for (const auto& [number, target] : before.descriptors) {
    const auto now = after.descriptors.find(number);
    if (now == after.descriptors.end()) {
      changes.push_back(std::to_string(number) + " was closed");
    } else if (now->second != target) {
      changes.push_back(std::to_string(number) + " became another file");
    }
  }
  for (const auto& [number, target] : after.descriptors) {
    if (before.descriptors.count(number) == 0)
      changes.push_back(std::to_string(number) + " was opened (" + target + ")");
  }
  return changes;
}

}  // namespace kdhost::check
