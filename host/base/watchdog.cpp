// SPDX-License-Identifier: MIT
#include "base/watchdog.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "base/in_charge.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace kdhost {
namespace {

// Shorter than what those who send SIGTERM usually wait before SIGKILL.
constexpr double kGrace = 20.0;

// Where it hangs, in the form of every message.
Message located(const Duty& duty) {
  Message message;
  std::string where = training_words();
  if (duty.charge != nullptr) {
    message.place = duty.charge->place;
    if (!message.place.known()) where = duty.charge->front + (where.empty() ? "" : ": " + where);
    message.what = duty.charge->words + ", in " + duty.function + ": ";
  }
  message.where = where;
  return message;
}

void warn_of_hang(const Duty& duty, double seconds) {
  Message message = located(duty);
  message.what += "no progress for " + shortest(seconds) + " s.";
  message.expected = "The run goes on waiting.";
  message.mend = "If this is expected, choose a larger --patience; else stop it with Ctrl-C or SIGTERM.";
  if (const std::string kept = checkpoint_words(); !kept.empty()) message.mend += " " + kept;
  log::warn(message.text());
}

// The thread that hangs cannot be made to save, and another must not: the state may be half changed. What is on disk is
// whole.
[[noreturn]] void end_run(const Duty& duty, int signal) {
  Message message = located(duty);
  const char* name = ::sigabbrev_np(signal);
  message.what +=
      "did not come back after SIG" + std::string(name != nullptr ? name : "TERM") + ", and the run ends without it.";
  message.mend = checkpoint_words();
  if (message.mend.empty()) message.mend = "Nothing was trained yet: start the run again.";
  log::error(Error(Exit::interrupted, std::move(message)));
  ::_exit(static_cast<int>(Exit::interrupted));
}

}  // namespace

Watchdog::Watchdog(double patience) : patience_(patience), thread_(&Watchdog::watch, this) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::watch() {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point then) {
    return std::chrono::duration<double>(Clock::now() - then).count();
  };
  const double grace = patience_ > 0.0 ? std::min(kGrace, patience_) : kGrace;
  const auto period = std::chrono::duration<double>(std::clamp(grace / 8.0, 0.02, 0.5));
  std::uint64_t seen = duty_beats();
  Clock::time_point moved = Clock::now();
  Clock::time_point told_to_stop = Clock::time_point::max();
  double longest = 0.0;  // seconds between two beats of this training
  double next_warning = patience_;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, period, [this] { return stop_; })) {
    const bool training = training_point().leg != nullptr;
    const double quiet = seconds_since(moved);
    if (const std::uint64_t now = duty_beats(); now != seen) {
      longest = training ? std::max(longest, quiet) : 0.0;
      seen = now;
      moved = Clock::now();
      next_warning = patience_;
      continue;
    }
    const Duty duty = duty_anywhere();
    // Before training the program itself may wait for long, as for another run that trains the same teacher.
    if (patience_ > 0.0 && quiet >= next_warning && (training || duty.charge != nullptr)) {
      warn_of_hang(duty, next_warning);
      next_warning *= 2.0;
    }
    // Without a component it is the program itself that works, on a large checkpoint for one.
    if (!interrupted() || duty.charge == nullptr) continue;
    if (told_to_stop == Clock::time_point::max()) told_to_stop = Clock::now();
    if (std::min(quiet, seconds_since(told_to_stop)) > std::max(grace, 2.0 * longest))
      end_run(duty, interrupt_signal());
  }
}

}  // namespace kdhost
