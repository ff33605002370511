// SPDX-License-Identifier: MIT
// Step 5 in the life of a batch: what the frozen teachers say about it. From a store where that is exact, else by a
// forward in evaluation mode without gradient, over several batches at once where that was measured to be faster.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "train/assembly.hpp"

namespace kdhost {

/// A batch with the outputs of the frozen teachers; by teacher, empty for the others.
struct FedBatch {
  Batch batch;
  std::vector<Outputs> teachers;
};

class TeacherOutputs {
 public:
  /// Decides for each frozen teacher whether its outputs are kept, and fills the stores (reads the whole training set
  /// once). Error (experiment) when the file asks for a store that would not be exact, Error (data) when it does not
  /// fit.
  TeacherOutputs(Assembly& assembly, const std::string& store_folder);

  /// Batches that the teacher sees at once: as pinned, else chosen by a short measurement. 1 when nothing runs live.
  int64_t chunk(int64_t pinned);

  /// Adds the outputs that the stage wants. All batches are of pass `pass`.
  void add(std::vector<FedBatch>& batches, const StagePlan& stage, int64_t pass);

  /// The seed and pass by which augmentations of a training pass are drawn: views are replayed, so that outputs can be
  /// kept.
  std::pair<uint64_t, int64_t> augmentation(int64_t seed, int64_t pass) const;

  /// One line a teacher for the plan: "kept in memory, 55,000 x 10 (2.2 MB)", "live: ...".
  const std::vector<std::string>& texts() const { return texts_; }
  bool kept(std::size_t teacher) const { return stores_[teacher] != nullptr; }

 private:
  void forward(std::size_t teacher, const Batch& batch, const Wants& wants, Outputs& out);
  std::string why_not_exact(std::size_t teacher) const;
  void fill(std::size_t teacher);
  Wants wanted(std::size_t teacher) const;

  Assembly& assembly_;
  std::string store_folder_;
  std::vector<std::unique_ptr<OutputStore>> stores_;  ///< by teacher; null = live
  std::vector<int64_t> position_;                     ///< of a sample in the training subset
  std::vector<std::string> texts_;
};

/// One forward of a frozen teacher: evaluation mode (or as a loss asked), no gradient, results in the run's floating
/// type.
void teacher_forward(Assembly& assembly, std::size_t teacher, const Batch& batch, const Wants& wants, Outputs& out);

}  // namespace kdhost
