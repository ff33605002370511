// SPDX-License-Identifier: MIT
// The transforms of an experiment, applied in file order. Step 4 in the life of a batch: each sample has its own random
// numbers, which depend on its key and the transform, never on the batch it happens to be in.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/batch.hpp"
#include "tensor/transform.hpp"

namespace kdhost {

class Augment {
 public:
  struct Item {
    std::unique_ptr<TransformInstance> transform;
    bool in_training = true;
    bool in_evaluation = false;
    std::string name;  ///< as schedules call it
  };

  Augment() = default;
  explicit Augment(std::vector<Item> items);

  /// Replaces the fields that the transforms change. A batch needs keys where a random transform is applied. Errors:
  /// (experiment) a transform asks for a field that the data set does not have, (plugin) it fails or changes the number
  /// of samples.
  void apply(Batch& batch, bool training);

  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  /// Some transform of training batches draws random numbers: teacher outputs differ from epoch to epoch.
  bool random() const;
  /// Some transform of training batches makes a sample depend on others of its batch (mixup).
  bool mixes() const;
  /// Some transform is applied in training but not in evaluation, or the other way round.
  bool differs_in_evaluation() const;
  /// The transform whose parameters a schedule drives. Error (internal) where no transform has that name.
  TransformInstance& transform(std::string_view name);
  const std::vector<Item>& items() const { return items_; }

 private:
  struct Binding {
    std::size_t slot;   ///< of TransformInstance::inputs
    std::string field;  ///< of the batch
  };
  struct Bound {
    uint64_t salt = 0;  ///< of name and position: two transforms never share random numbers
    bool ready = false;
    std::vector<Binding> bindings;
    std::optional<Parts> parts;  ///< where the transform declares some
    Outputs changed;
  };

  void bind(std::size_t index, const Batch& batch);

  std::vector<Item> items_;
  std::vector<Bound> bound_;  ///< by item
  std::vector<uint64_t> keys_;
};

}  // namespace kdhost
