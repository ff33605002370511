// SPDX-License-Identifier: MIT
// What must be in the environment before OpenMP, the heap and LibTorch start: threads, spinning, heap thresholds,
// CUDA's workspace. The thin program decides it here, sets it, and then becomes the engine. Lowest layer.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kdhost {

/// What the machine is doing, seen over a short time.
struct MachineLoad {
  /// Processors this process may use (affinity and control-group quota), at least 1.
  int cores = 1;
  /// How many of them other work keeps busy, 0 .. cores.
  double busy = 0.0;
};

/// Looks up an environment variable; nothing where it is not set.
using EnvironmentLookup = std::function<std::optional<std::string>(std::string_view name)>;

/// What to set before the engine starts, and why.
struct EnvironmentPlan {
  /// Variables to set, in a fixed order. Variables the user has set already are not among them, except
  /// OMP_NUM_THREADS when a thread count was asked for.
  std::vector<std::pair<std::string, std::string>> variables{};
  /// Threads for operators, at least 1.
  int threads = 1;
  /// Threads wait without spinning, since other work shares the machine.
  bool shared = false;
  /// The decision as one line for the user: "threads: 1 of 2 (other work keeps 1.0 busy), waiting without spinning".
  std::string text{};
};

/// Decides from the thread count asked for (--threads or a recorded run; nothing: choose), the environment and the
/// load. `load` is called only when the count is neither asked for nor in OMP_NUM_THREADS. Pure but for that call.
/// The plan's text is also the variable KDHOST_LAUNCH, by which the engine can print it.
EnvironmentPlan plan_environment(std::optional<int> threads, const EnvironmentLookup& environment,
                                 const std::function<MachineLoad()>& load);

/// The two calls that the program makes: the process environment, and the load over 20 ms.
std::optional<std::string> environment_variable(std::string_view name);
MachineLoad measure_load(std::chrono::milliseconds interval = std::chrono::milliseconds(20));

/// Puts the plan's variables into the environment of this process, to be inherited by exec.
void apply(const EnvironmentPlan& plan);

/// Processors this process may use: affinity mask and control-group quota, at least 1.
int usable_cores();

/// The load between two readings of /proc/stat for the processors in `allowed` (all where it is empty).
MachineLoad load_between(std::string_view before, std::string_view after, const std::vector<int>& allowed);

}  // namespace kdhost
