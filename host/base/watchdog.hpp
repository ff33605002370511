// SPDX-License-Identifier: MIT
// Says which component is in charge when nothing moves on, and ends a run that was told to stop but whose plugin does
// not come back. It never ends a run by itself: a slow step is allowed. Lowest layer.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace kdhost {

/// Seconds without progress after which a component is named, unless the user says otherwise.
inline constexpr double kPatience = 300.0;

class Watchdog {
 public:
  /// Watches from a thread of its own until it is destroyed. `patience`: seconds without progress after which the
  /// component in charge is named, and named again after twice as long, and so on; 0: never. Progress is a component
  /// entered or left, or a step. After SIGINT or SIGTERM a run whose step does not end is given 20 s without progress
  /// (or `patience`, where that is shorter; or twice the longest wait seen in this training, where that is longer),
  /// then the process ends with exit code 7.
  explicit Watchdog(double patience);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void watch();

  double patience_;
  bool stop_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace kdhost
