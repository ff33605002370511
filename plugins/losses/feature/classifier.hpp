// SPDX-License-Identifier: MIT
//
// For losses that put the student's features into the teacher's own classifier: its ports, the one pair of taps before
// it, and the logits it makes.
#pragma once
#include "adaptors.hpp"

#include <utility>

namespace kdhost::plugins {

inline void describe_classifier(Spec& s, bool optional) {
  auto weight = s.input("teacher.classifier.weight").doc("[classes, C] of the teacher's last layer");
  if (optional) weight.optional();
  s.input("teacher.classifier.bias").optional().doc("[classes] of the same layer");
}

/// The one pair of taps of a loss that compares a single layer.
inline TapPair one_tap(const Call& c) {
  std::vector<TapPair> taps = tap_pairs(c);
  if (taps.size() != 1)
    throw std::invalid_argument("'student.features' and 'teacher.features' have " + std::to_string(taps.size()) +
                                " taps each, expected one: the last before the classifier");
  return taps.front();
}

/// The same with vectors [N, D] as maps [N, D, 1, 1].
inline TapPair last_tap(const Call& c) {
  TapPair p = one_tap(c);
  for (Tensor* x : {&p.student, &p.teacher}) {
    if (x->dim() != 2 && x->dim() != 4) refuse_pair(p, "vectors [N, D] or maps [N, C, H, W]");
    if (x->dim() == 2) *x = x->reshape({x->size(0), x->size(1), 1, 1});
  }
  return p;
}

/// Channels of that pair, known before the first batch.
inline std::pair<std::int64_t, std::int64_t> last_widths(const Ports& ports) {
  for (const char* side : {"student", "teacher"})
    if (const std::size_t rank = ports.shape(tap_name(side, 0)).size(); rank != 4 && rank != 2)
      refuse_ports(ports, 0, "vectors [N, D] or maps [N, C, H, W]");
  return {ports.size(tap_name("student", 0), 1), ports.size(tap_name("teacher", 0), 1)};
}

/// What the teacher's classifier says of a map [N, C, H, W], averaged over its positions.
inline Tensor classified(const Call& c, const Tensor& map) {
  const Tensor weight = c["teacher.classifier.weight"];
  if (weight.dim() != 2 || weight.size(1) != map.size(1))
    refuse_shape("teacher.classifier.weight", weight,
                 "[classes, " + std::to_string(map.size(1)) + "], as wide as the teacher's tap");
  Tensor bias;
  if (c.has("teacher.classifier.bias")) {
    bias = c["teacher.classifier.bias"];
    if (bias.dim() != 1 || bias.size(0) != weight.size(0))
      refuse_shape("teacher.classifier.bias", bias,
                   "[" + std::to_string(weight.size(0)) + "], one for each row of 'teacher.classifier.weight'");
    bias = to(bias.detach(), map.dtype());
  }
  const bool one_position = map.size(2) * map.size(3) == 1;
  return linear(one_position ? map.flatten(1) : map.mean({2, 3}), to(weight.detach(), map.dtype()), bias);
}

}  // namespace kdhost::plugins
