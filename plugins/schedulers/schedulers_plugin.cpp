// SPDX-License-Identifier: MIT
// The plugin kdhost.schedulers: everything in this folder. A scheduler is asked once for each optimizer step, before
// the step, for the value of the number of the experiment that it drives.
#include "adaptive_schedule.hpp"
#include "constant_schedule.hpp"
#include "cosine_schedule.hpp"
#include "exponential_schedule.hpp"
#include "linear_schedule.hpp"
#include "multi_step_schedule.hpp"
#include "one_cycle_schedule.hpp"
#include "plateau_schedule.hpp"
#include "polynomial_schedule.hpp"
#include "step_schedule.hpp"

using namespace kdhost::plugins;

KDHOST_PLUGIN("kdhost.schedulers", "1.0.0", ConstantSchedule, LinearSchedule, CosineSchedule, StepSchedule,
              MultiStepSchedule, ExponentialSchedule, PolynomialSchedule, OneCycleSchedule, PlateauSchedule,
              AdaptiveSchedule)
