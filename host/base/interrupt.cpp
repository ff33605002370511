// SPDX-License-Identifier: MIT
#include "base/interrupt.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "base/error.hpp"

namespace kdhost {
namespace {
std::atomic<int> signal_seen{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void on_signal(int number) {
  if (signal_seen.exchange(number) != 0) ::_exit(static_cast<int>(Exit::interrupted));
}
}  // namespace

void watch_for_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return signal_seen.load(std::memory_order_relaxed) != 0; }
int interrupt_signal() { return signal_seen.load(std::memory_order_relaxed); }
void set_interrupted(int number) { signal_seen.store(number); }

}  // namespace kdhost
