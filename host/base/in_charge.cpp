// SPDX-License-Identifier: MIT
#include "base/in_charge.hpp"

#include <signal.h>
#include <sys/mman.h>

#include <array>
#include <map>
#include <mutex>
#include <set>

namespace kdhost {
namespace {

constexpr std::size_t kSeenThreads = 64;
// Enough for the handler and for the registers of any processor.
constexpr std::size_t kSignalStack = 65536;

std::array<DutySlot, kSeenThreads> slots;
std::atomic<std::size_t> slots_claimed{0};
// For threads beyond those: seen by their own signal handlers only.
thread_local DutySlot unseen_slot;

std::atomic<const char*> leg_words{nullptr};
std::atomic<std::int64_t> leg_step{0};
std::atomic<std::int64_t> leg_saved{-1};

static_assert(std::atomic<const Charge*>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free,
              "signal handlers may only read lock-free atomics");

// A thread has one, or uses its own stack where there is no memory for one. It lasts as long as the process: threads
// that run plugins do.
void give_signal_stack() {
  stack_t known{};
  if (::sigaltstack(nullptr, &known) != 0 || (known.ss_flags & SS_DISABLE) == 0) return;
  void* memory = ::mmap(nullptr, kSignalStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = kSignalStack;
  ::sigaltstack(&stack, nullptr);
}

Duty duty_of(const DutySlot& slot) {
  return {slot.charge.load(std::memory_order_relaxed), slot.function.load(std::memory_order_relaxed)};
}

}  // namespace

const Charge& charge_of(const Place& place, const std::string& name, const std::string& words) {
  // Never destroyed, since signal handlers and graphs may come after the end of main.
  static auto& known = *new std::map<std::array<std::string, 3>, Charge>();
  static auto& mutex = *new std::mutex();
  const std::string where = place.known() ? place.text() : std::string();
  const std::lock_guard lock(mutex);
  const auto [found, is_new] = known.try_emplace({where, name, words});
  if (is_new) found->second = {place, printable(words, 4096), where.empty() ? printable(name, 4096) : where};
  return found->second;
}

DutySlot& claim_duty_slot() {
  const std::size_t index = slots_claimed.fetch_add(1);
  if (index >= kSeenThreads) {
    own_duty_slot = &unseen_slot;
  } else {
    own_duty_slot = &slots[index];
    give_signal_stack();
  }
  return *own_duty_slot;
}

Duty duty_here() { return own_duty_slot != nullptr ? duty_of(*own_duty_slot) : Duty(); }

Duty duty_anywhere() {
  if (const Duty here = duty_here(); here.charge != nullptr) return here;
  for (const DutySlot& slot : slots) {
    if (const Duty there = duty_of(slot); there.charge != nullptr) return there;
  }
  return {};
}

std::uint64_t duty_beats() {
  std::uint64_t sum = 0;
  for (const DutySlot& slot : slots) sum += slot.beats.load(std::memory_order_relaxed);
  return sum;
}

TrainingPoint training_point() { return {leg_words.load(), leg_step.load(), leg_saved.load()}; }

void note_leg(const std::string& leg, std::int64_t saved) {
  static auto& known = *new std::set<std::string>();  // handlers read the text at any time
  leg_saved = saved;
  leg_step = 0;
  leg_words = leg.empty() ? nullptr : known.insert(leg).first->c_str();
  duty_slot().beat();
}

void note_step(std::int64_t step) {
  leg_step.store(step, std::memory_order_relaxed);
  duty_slot().beat();
}

void note_saved(std::int64_t step) {
  leg_saved.store(step, std::memory_order_relaxed);
  duty_slot().beat();
}

std::string training_words() {
  const TrainingPoint now = training_point();
  return now.leg == nullptr ? std::string() : std::string(now.leg) + ", step " + std::to_string(now.step);
}

std::string checkpoint_words(bool after_mending) {
  const TrainingPoint now = training_point();
  if (now.leg == nullptr || now.saved < 0) return {};
  return "The checkpoint of step " + std::to_string(now.saved) +
         (after_mending
              ? " is whole: with the plugin mended, the same command with --resume --allow-changes goes on from it."
              : " is whole: the same command with --resume goes on from it.");
}

}  // namespace kdhost
