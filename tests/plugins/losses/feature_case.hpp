// SPDX-License-Identifier: MIT
// Inputs that several tests of feature losses share.
#pragma once

#include "golden_case.hpp"

namespace kdhost::test {

/// Feature taps beside the logits of both sides.
inline Bound with_logits(Bound bound) {
  for (auto& port : logits()) bound.push_back(std::move(port));
  return bound;
}

/// Two taps a side, in the order student, student, teacher, teacher.
inline Bound taps(const at::Tensor& s0, const at::Tensor& s1, const at::Tensor& t0, const at::Tensor& t1) {
  return {
      {"student.features.0", s0}, {"student.features.1", s1}, {"teacher.features.0", t0}, {"teacher.features.1", t1}};
}

/// A pair of vectors [4, `width`] and [4, 9], and a teacher's classifier of ten classes on the latter.
inline Bound with_classifier(int64_t width, uint64_t seed) {
  return {{"student.features.0", generated({4, width}, seed)},
          {"teacher.features.0", generated({4, 9}, 49)},
          {"teacher.logits", z_t()},
          {"teacher.classifier.weight", generated({10, 9}, 51)},
          {"teacher.classifier.bias", generated({10}, 52)}};
}

}  // namespace kdhost::test
