// SPDX-License-Identifier: MIT
// The plugin kdhost.metrics: everything in this folder. Metrics judge a model on validation or test data, after an
// epoch or at the end of a run.
#include "accuracy.hpp"
#include "agreement.hpp"
#include "calibration_error.hpp"
#include "confusion_matrix.hpp"
#include "f1.hpp"
#include "nll.hpp"
#include "precision.hpp"
#include "recall.hpp"
#include "top_k.hpp"

using namespace kdhost::plugins;

KDHOST_PLUGIN("kdhost.metrics", "1.0.0", Accuracy, TopK, Nll, CalibrationError, Agreement, Precision, Recall, F1,
              ConfusionMatrix)
