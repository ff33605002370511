// SPDX-License-Identifier: MIT
// Whose code each thread runs, and where training stands: what a crash handler and a watchdog say when a plugin does
// not come back. Written around every call of a component, so it costs a few stores; read by other threads and by
// signal handlers, so all of it is lock-free and nothing it points to is ever destroyed. Lowest layer.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/error.hpp"

namespace kdhost {

/// Code that can be in charge: a component as an experiment uses it, or a plugin file that is being loaded.
struct Charge {
  Place place;        ///< the line that asked for it; may be unknown
  std::string words;  ///< "loss 'zoo.kd' of libzoo.so"
  std::string front;  ///< how a message begins: the place, or the name where there is no place; printable
};

/// The same object for the same three texts, kept as long as the process: a graph may run after its component is gone.
const Charge& charge_of(const Place& place, const std::string& name, const std::string& words);

/// What one thread does. Beats go up whenever a component is entered or left, and at each step.
struct DutySlot {
  std::atomic<const Charge*> charge{nullptr};
  std::atomic<const char*> function{nullptr};
  std::atomic<std::uint64_t> beats{0};

  void beat() { beats.store(beats.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
};

/// Null until this thread first runs code of a plugin.
inline constinit thread_local DutySlot* own_duty_slot = nullptr;
/// Gives this thread a slot that the watchdog sees (the first 64 threads), and a stack on which a signal handler can
/// run when the thread's own has overflowed.
DutySlot& claim_duty_slot();
inline DutySlot& duty_slot() { return own_duty_slot != nullptr ? *own_duty_slot : claim_duty_slot(); }

/// While it lives, this thread runs `function` ("compute", a literal) of `charge`.
class InCharge {
 public:
  InCharge(const Charge& charge, const char* function)
      : slot_(duty_slot()),
        charge_(slot_.charge.load(std::memory_order_relaxed)),
        function_(slot_.function.load(std::memory_order_relaxed)) {
    slot_.function.store(function, std::memory_order_relaxed);
    slot_.charge.store(&charge, std::memory_order_relaxed);
    slot_.beat();
  }
  ~InCharge() {
    slot_.charge.store(charge_, std::memory_order_relaxed);
    slot_.function.store(function_, std::memory_order_relaxed);
    slot_.beat();
  }
  InCharge(const InCharge&) = delete;
  InCharge& operator=(const InCharge&) = delete;

 private:
  DutySlot& slot_;
  const Charge* charge_;  // of before
  const char* function_;
};

/// Who is in charge, and in which function; both null where nobody is.
struct Duty {
  const Charge* charge = nullptr;
  const char* function = nullptr;
};

/// Of this thread.
Duty duty_here();
/// Of this thread, else of the thread that claimed its slot first and is at work: a worker of a parallel loop has none
/// of its own. Safe in a signal handler.
Duty duty_anywhere();
/// The sum over all threads; while it stays the same, no component is entered or left.
std::uint64_t duty_beats();

/// Where training stands. Only the training thread writes it.
struct TrainingPoint {
  const char* leg = nullptr;  ///< "seed 1, distilled"; null: not training
  std::int64_t step = 0;      ///< counted from 1
  std::int64_t saved = -1;    ///< the step of the newest checkpoint; -1: none yet
};

TrainingPoint training_point();
/// A leg begins (its checkpoint, if it has one, is of step `saved`), and ends with an empty text.
void note_leg(const std::string& leg, std::int64_t saved = -1);
void note_step(std::int64_t step);
void note_saved(std::int64_t step);
/// "seed 1, distilled, step 12"; empty when not training.
std::string training_words();
/// "The checkpoint of step 10 is whole: the same command with --resume goes on from it."; empty without one. A mended
/// plugin is another file than the one that began the run: then --allow-changes is part of the command.
std::string checkpoint_words(bool after_mending = false);

}  // namespace kdhost
