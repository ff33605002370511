// SPDX-License-Identifier: MIT
//
// Counts for each class, of which precision, recall and F1 are made. All three average over the classes that occur as
// label or as prediction; a share of nothing (a class never predicted, or never a label) counts as 0. These are the
// numbers of scikit-learn's average="macro" with zero_division=0.
#pragma once
#include "class_scores.hpp"

namespace kdhost::plugins {

/// float64 [3 C]: samples of each class that are right, that are predicted to be of the class, that are of the class.
inline Tensor class_count_sums(const Call& c) {
  const Tensor z = scores_of(c, kStudent);
  const Tensor predicted = indicators(argmax(z, 1), z.size(1)), actual = indicators(labels_of(c), z.size(1));
  return cat({(predicted * actual).sum({0}), predicted.sum({0}), actual.sum({0})});
}

/// The mean of share(right, predicted, actual) over the classes that occur.
template <class F>
double macro_mean(const std::vector<double>& sums, F share) {
  const std::size_t classes = sums.size() / 3;
  double total = 0, occur = 0;
  for (std::size_t k = 0; k < classes; ++k) {
    const double right = sums[k], predicted = sums[classes + k], actual = sums[2 * classes + k];
    if (predicted + actual == 0) continue;
    occur += 1;
    total += share(right, predicted, actual);
  }
  return total / occur;
}

inline void describe_macro(Spec& s) {
  declare_scores(s);
  declare_label(s);
}

}  // namespace kdhost::plugins
