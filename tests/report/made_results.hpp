// SPDX-License-Identifier: MIT
// Results of made-up runs for the tests of tables.
#pragma once

#include <vector>

#include "train/results.hpp"

namespace kdhost::test {

inline Evaluation evaluation(double accuracy, double nll, double agreement) {
  return {{{"accuracy", accuracy}, {"nll", nll}, {"agreement", agreement}}};
}

inline LegResult leg(std::int64_t seed, bool baseline, double accuracy) {
  LegResult leg;
  leg.seed = seed;
  leg.baseline = baseline;
  leg.test_best = leg.test_last = evaluation(accuracy, baseline ? 0.61 : 0.34, baseline ? 0.83 : 0.951);
  leg.steps = 100;
  leg.seconds = baseline ? 4.0 : 6.5;
  return leg;
}

/// A teacher, and one pair of legs for each pair of accuracies (alone, distilled), seeds from 1.
inline RunResult run(const std::vector<std::pair<double, double>>& pairs) {
  RunResult r;
  r.title = "Logit distillation";
  r.experiment = "logit-kd.toml";
  r.folder = "runs/logit-kd/20260101-120000-1a2b3c4d";
  r.metric = "accuracy";
  r.student_id = "kdhost.mlp";
  r.student_parameters = 199'210;
  r.student_latency_ms = 0.04;
  TeacherResult t;
  t.name = "teacher";
  t.id = "kdhost.mlp";
  t.label = "mlp 800-800";
  t.parameters = 1'276'810;
  t.test = {{{"accuracy", 0.891}, {"nll", 0.31}}};
  t.latency_ms = 0.21;
  r.teachers.push_back(t);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    r.legs.push_back(leg(static_cast<std::int64_t>(i) + 1, false, pairs[i].second));
    r.legs.push_back(leg(static_cast<std::int64_t>(i) + 1, true, pairs[i].first));
  }
  return r;
}

}  // namespace kdhost::test
