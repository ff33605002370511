// SPDX-License-Identifier: MIT
// An experiment reduced to its data and models, for commands that look at models and train nothing: `inspect` must
// answer before the losses are bound right, `export` without the teacher's files.
#pragma once

#include "config/experiment.hpp"

namespace kdhost {

/// Takes out whatever only training needs: losses, schedules, stages, metrics, the baseline.
inline void keep_models_only(Experiment& experiment) {
  experiment.losses.clear();
  experiment.schedules.clear();
  experiment.stages.clear();
  experiment.metrics.clear();
  experiment.baseline.enabled = Flag(false);
  experiment.train.epochs = Integer(1);
  experiment.train.steps.reset();
}

}  // namespace kdhost
