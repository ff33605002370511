// SPDX-License-Identifier: MIT
//
// Losses between hidden layers that train a small network of their own: auto-encoders, fusion and attention over
// several taps, projectors in front of the teacher's classifier.
#include "ft.hpp"
#include "ktaad.hpp"
#include "review.hpp"
#include "semckd.hpp"
#include "simkd.hpp"
#include "srrl.hpp"

KDHOST_PLUGIN("kdhost.losses.network", "1.0.0", kdhost::plugins::FactorTransfer, kdhost::plugins::KnowledgeReview,
              kdhost::plugins::KnowledgeAdaptation, kdhost::plugins::SemanticCalibration,
              kdhost::plugins::SoftmaxRegression, kdhost::plugins::ReusedClassifier)
