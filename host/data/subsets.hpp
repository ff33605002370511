// SPDX-License-Identifier: MIT
// Which samples a run trains on, which of them keep their label, and which are held out. Decided once, before the first
// batch: a function of the data set and of `data.split_seed` only, so that every seed, the baseline and the teacher's
// own training see the same split.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "config/experiment.hpp"
#include "tensor/dataset.hpp"

namespace kdhost {

/// All lists ascend and hold indices in the split they name.
struct Subsets {
  std::vector<int64_t> train;             ///< in the training split
  std::vector<int64_t> labelled;          ///< those of `train` that keep their label
  std::vector<int64_t> validation;        ///< in `validation_split`; empty: there is none
  Split validation_split = Split::train;  ///< Split::validation where the data set has its own
  std::vector<uint8_t> has_label;         ///< by index in the training split: 1 for each of `labelled`
  /// By index in the training split: the class of each of `labelled`, -1 for all others. Empty where samples have no
  /// class, or where it would have to be read from files for nothing else.
  std::vector<int64_t> classes;

  /// False where some of `train` has no label.
  bool all_labelled() const { return labelled.size() == train.size(); }
};

/// Draws validation, then train, then labels from what is left, each in proportion to the classes. The samples are put
/// into one order in which every beginning is balanced, so a smaller number always gives a subset of a larger one, and
/// `labels` lies within `train`. Samples of `omit_classes` are left out after validation is drawn, which is therefore
/// that of a run without the key. Error (experiment) at the place of a number that is too large, of a class that is not
/// there, or of `validation` where the data set brings its own; Error (data) for a label outside its classes.
Subsets make_subsets(const DatasetInstance& dataset, const DataSettings& settings);

/// The class of each sample of a split: the field "label" where it holds one integer a sample, nothing otherwise. Error
/// (data), naming the sample, for a label outside 0 .. classes - 1.
std::optional<std::vector<int64_t>> class_labels(const DatasetInstance& dataset, Split split);

}  // namespace kdhost
