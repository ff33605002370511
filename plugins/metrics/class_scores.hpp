// SPDX-License-Identifier: MIT
//
// What the shipped metrics share: class scores, labels and predictions of a batch. A metric adds up sums over samples
// on the device, in float64 and without waiting for it; numbers are made of the sums of all batches at the end, so they
// do not depend on how the data were cut into batches.
#pragma once
#include <kdhost/plugin.hpp>

#include <algorithm>

namespace kdhost::plugins {

inline constexpr const char* kStudent = "student.logits";
inline constexpr const char* kTeacher = "teacher.logits";
inline constexpr const char* kLabel = "batch.label";

inline void declare_scores(Spec& s) { s.input(kStudent).doc("[N, C] class scores of the model that is judged"); }
inline void declare_label(Spec& s) {
  s.input(kLabel).doc("[N] class numbers, or [N, C] probabilities, whose largest counts");
}

/// Class scores [N, C].
inline Tensor scores_of(const Call& c, const char* port) {
  const Tensor z = c[port];
  if (z.dim() == 2) return z;
  throw std::invalid_argument(std::string("'") + port + "' is " + to_string(z.shape()) +
                              ", expected class scores [N, C]");
}

/// Class numbers int64 [N]; of labels that are probabilities the class with the largest.
inline Tensor labels_of(const Call& c) {
  const Tensor y = c[kLabel];
  if (y.dim() == 2) return argmax(y, 1);
  if (y.dim() == 1) return y.to(Dtype::i64);
  throw std::invalid_argument(std::string("'") + kLabel + "' is " + to_string(y.shape()) +
                              ", expected class numbers [N] or probabilities [N, C]");
}

/// 1 where a number is k, for k in 0..n-1: [N] becomes float64 [N, n].
inline Tensor indicators(const Tensor& numbers, std::int64_t n) {
  return eq(numbers.unsqueeze(1), arange(n, numbers.dtype(), numbers)).to(Dtype::f64);
}

/// Σ hits and N, as float64 [2].
inline Tensor share_sums(const Tensor& hits) {
  const Tensor flags = hits.to(Dtype::f64);
  return stack({flags.sum(), full({}, static_cast<double>(hits.size(0)), Dtype::f64, hits)});
}

}  // namespace kdhost::plugins
