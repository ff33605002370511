// SPDX-License-Identifier: MIT
// Everything about an experiment that needs components but no model: do the ids exist and have the right kind, are
// parameters, ports and schedule targets right. Runs after config/reader.hpp and before the engine starts;
// reads records only. What needs a model (taps, shapes, values) is found by the engine's dry batch.
#pragma once

#include <array>
#include <vector>

#include "base/error.hpp"
#include "config/experiment.hpp"
#include "plugin/registry.hpp"

namespace kdhost {

/// Metrics that the host adds to those of an experiment for its closing table, where the data have classes.
inline constexpr std::array<const char*, 3> kTableMetrics{"kdhost.accuracy", "kdhost.nll", "kdhost.agreement"};

/// What was found wrong, in file order, and the exit code for it: 5 where only plugins are to blame, else 3.
struct ExperimentProblems {
  std::vector<Message> messages{};
  Exit exit = Exit::experiment;
};

/// Checks everything and fills the resolved parameters (with defaults) into `experiment`.
ExperimentProblems find_problems(Experiment& experiment, Registry& registry);

/// find_problems that throws all of them as one Error.
void check_experiment(Experiment& experiment, Registry& registry);

/// A loss term's ports as the experiment binds them, after the rules of `inputs` and the defaults.
struct BoundPort {
  const PortInfo* port = nullptr;
  /// "[model:]tap" or "[model:]param/NAME", always with the model: "student:logits", "teacher:hidden2";
  /// a field name for batch ports.
  std::vector<Text> sources{};
};

/// The bound ports of one loss term in the order of the component's ports; optional ports that are not bound are left
/// out. Problems are added to `problems`.
std::vector<BoundPort> bind_ports(const ComponentInfo& component, const LossTerm& term, const Experiment& experiment,
                                  std::vector<Message>& problems);

}  // namespace kdhost
