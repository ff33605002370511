// SPDX-License-Identifier: MIT
//
// The clock of the shipped schedulers: where training stands, counted in epochs, either step by step or in whole epochs
// as PyTorch's schedulers are usually stepped. Every scheduler of this folder reads time through it, so "per" means the
// same in all.
#pragma once
#include <kdhost/plugin.hpp>

#include <algorithm>

namespace kdhost::plugins {

/// Declares the parameter `per`; the first word is its default.
inline void declare_per_step(Spec& s) {
  s.choice("per", {"step", "epoch"}).doc("the value changes at every optimizer step, or only when an epoch begins");
}
inline void declare_per_epoch(Spec& s) {
  s.choice("per", {"epoch", "step"}).doc("the value changes only when an epoch begins, or at every optimizer step");
}
inline void declare_from(Spec& s) {
  s.number("from").doc("value at the start; absent: the value written in the experiment");
}

inline double start_value(const Moment& m, const Params& p) { return p.number_or("from", m.base()); }

inline std::int64_t steps_per_epoch(const Moment& m) { return std::max<std::int64_t>(m.steps_per_epoch(), 1); }

/// Optimizer steps of a length given in epochs, which may be a fraction.
inline std::int64_t steps_of(double epochs, const Moment& m) {
  return std::llround(epochs * static_cast<double>(steps_per_epoch(m)));
}

/// Finished steps of this stage; with per = "epoch" the steps of its finished epochs.
inline std::int64_t clock_steps(const Moment& m, const Params& p) {
  const std::int64_t spe = steps_per_epoch(m);
  return p.text("per") == "epoch" ? m.step() / spe * spe : m.step();
}

/// The same in epochs.
inline double clock_epochs(const Moment& m, const Params& p) {
  return static_cast<double>(clock_steps(m, p)) / static_cast<double>(steps_per_epoch(m));
}

/// (now - begin) / (end - begin) in [0, 1], all in steps; 1 where the window is empty and past.
inline double fraction(std::int64_t now, std::int64_t begin, std::int64_t end) {
  if (now >= end) return 1.0;
  if (now <= begin) return 0.0;
  return static_cast<double>(now - begin) / static_cast<double>(end - begin);
}

}  // namespace kdhost::plugins
