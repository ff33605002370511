// SPDX-License-Identifier: MIT
#include "base/crash.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.hpp"
#include "base/in_charge.hpp"

namespace kdhost {
namespace {

struct Watched {
  int number;
  const char* words;
};
constexpr std::array<Watched, 5> kWatched{{{SIGSEGV, "SIGSEGV (segmentation fault)"},
                                           {SIGBUS, "SIGBUS (bus error)"},
                                           {SIGFPE, "SIGFPE (arithmetic error)"},
                                           {SIGILL, "SIGILL (illegal instruction)"},
                                           {SIGABRT, "SIGABRT (aborted)"}}};

std::atomic<bool> watching{false};

// One text on standard error, put together without the heap: a handler may use nothing that takes a lock.
class SafeText {
 public:
  SafeText& add(const char* text) {
    for (; *text != '\0' && used_ < text_.size() - 1; ++text) text_[used_++] = *text;
    return *this;
  }
  SafeText& add(std::int64_t number) {
    std::array<char, 24> digits{};
    std::size_t at = digits.size() - 1;
    auto rest = static_cast<std::uint64_t>(number < 0 ? 0 : number);
    do {
      digits[--at] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    } while (rest > 0);
    return add(digits.data() + at);
  }
  void write() {
    text_[used_++] = '\n';
    for (std::size_t done = 0; done < used_;) {
      const ssize_t n = ::write(STDERR_FILENO, text_.data() + done, used_ - done);
      if (n <= 0) return;
      done += static_cast<std::size_t>(n);
    }
  }

 private:
  std::array<char, 12288> text_{};
  std::size_t used_ = 0;
};

// "run.toml:7:3: seed 1, distilled, step 3: loss 'zoo.kd' of FILE, in compute: " and what happened.
void tell(const Duty& duty, const char* happened, const char* detail) {
  const TrainingPoint now = training_point();
  SafeText text;
  text.add("error: ").add(duty.charge != nullptr ? duty.charge->front.c_str() : "kdhost").add(": ");
  if (now.leg != nullptr) text.add(now.leg).add(", step ").add(now.step).add(": ");
  if (duty.charge != nullptr) text.add(duty.charge->words.c_str()).add(", in ").add(duty.function).add(": ");
  text.add(happened).add(detail).add(duty.charge != nullptr ? "." : ", while no plugin was at work.").add("\n  ");
  if (now.leg != nullptr && now.saved >= 0) {
    text.add("The checkpoint of step ").add(now.saved);
    text.add(duty.charge != nullptr
                 ? " is whole: with the plugin mended, the same command with --resume --allow-changes goes on from it. "
                 : " is whole: the same command with --resume goes on from it. ");
  }
  text.add(duty.charge != nullptr ? "This is a mistake in the plugin: `kdhost check PLUGIN.so` tries it by itself."
                                  : "Please report it with the command that led here.");
  text.write();
}

void on_crash(int number, siginfo_t* info, void*) {
  const int kept_errno = errno;
  const char* words = "a signal";
  for (const Watched& w : kWatched) {
    if (w.number == number) words = w.words;
  }
  tell(duty_anywhere(), "crashed with ", words);
  // The handler is gone already (SA_RESETHAND). A fault comes again when the instruction is tried again, with the
  // registers that belong into a core dump; a signal that was sent has to be sent again.
  if (info->si_code <= 0) ::raise(number);
  errno = kept_errno;
}

// Whoever calls exit from within a plugin would end the run with a code that says that all is well.
void on_exit_call() {
  const Duty duty = duty_here();
  if (!watching.load() || duty.charge == nullptr) return;
  tell(duty, "called exit", "");
  ::_exit(static_cast<int>(Exit::plugin));
}

}  // namespace

void watch_for_crashes() {
  duty_slot();  // of the main thread, the first
  for (const Watched& w : kWatched) {
    struct sigaction before {};
    if (::sigaction(w.number, nullptr, &before) != 0 || before.sa_handler != SIG_DFL) continue;
    struct sigaction action {};
    action.sa_sigaction = on_crash;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | static_cast<int>(SA_RESETHAND);
    ::sigaction(w.number, &action, nullptr);
  }
  if (!watching.exchange(true)) std::atexit(on_exit_call);
}

void leave_crashes_alone() {
  watching = false;
  for (const Watched& w : kWatched) {
    struct sigaction now {};
    if (::sigaction(w.number, nullptr, &now) == 0 && now.sa_sigaction == on_crash) ::signal(w.number, SIG_DFL);
  }
}

}  // namespace kdhost
