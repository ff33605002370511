// SPDX-License-Identifier: MIT
// Judging a model: evaluation mode, no gradient, the metrics' sums over a set of samples.
#pragma once

#include <vector>

#include "train/assembly.hpp"
#include "train/results.hpp"

namespace kdhost {

/// A set of samples to judge on; keeps the teachers' logits of it, which do not change, after the first time.
class EvaluationSet {
 public:
  EvaluationSet(Assembly& assembly, Split split, std::vector<int64_t> samples);

  bool empty() const { return samples_.empty(); }
  int64_t size() const { return static_cast<int64_t>(samples_.size()); }
  /// All metrics of the student with these parts. `everything` = false: the first metric only (validation while
  /// training).
  Evaluation student(Parts& parts, bool everything = true);
  /// All metrics of a frozen teacher in the student's place.
  Evaluation teacher(std::size_t index);

 private:
  Evaluation judge(std::size_t model, Parts& parts, bool everything);
  void bind(MetricUse& use, const Batch& batch, std::size_t judged, const Outputs& out, std::size_t first_row);
  const at::Tensor& teacher_tap(std::size_t teacher, const std::string& name);

  Assembly& assembly_;
  Split split_;
  std::vector<int64_t> samples_;
  struct Kept {
    std::size_t teacher;
    std::string name;
    at::Tensor values;
  };
  std::vector<Kept> kept_;
  std::vector<at::Tensor> held_;
};

/// All samples of the test split, which may be none.
EvaluationSet test_set(Assembly& assembly);

/// Median milliseconds of a forward of one sample, evaluation mode.
double latency_ms(Assembly& assembly, std::size_t model, Parts& parts);

}  // namespace kdhost
