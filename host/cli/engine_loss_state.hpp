// SPDX-License-Identifier: MIT
// What `kdhost loss` puts into the parts of a loss (regressors, banks, learned temperatures): `state.NAME` of the
// inputs, the file of --state, and what is in neither as at the start of a training.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/parts.hpp"
#include "tensor/safetensors.hpp"

namespace kdhost {

/// "kd" of "kdhost.kd": the name of a term that is not given another.
std::string short_name(const std::string& id);

class LossState {
 public:
  /// `file`: that of --state, if given. Error (data) where it cannot be read.
  LossState(std::string id, const SafetensorsFile& inputs, const std::optional<std::string>& file);

  /// Rows of the longest memory bank (bank*, else any matrix): how many samples the data set has. 0: unknown.
  int64_t samples() const;

  /// Copies what there is into the parts, and gives the names of those that keep the values of their start.
  /// Error (data): a shape that does not fit; a file of --state that lacks a part or holds what is none. A checkpoint
  /// may hold anything beside the parts of one term that fits. A buffer that starts with a constant may be absent.
  std::vector<std::string> fill(Parts& parts) const;

 private:
  struct Given {
    std::string part;
    const StoredTensor* stored;
  };

  /// The tensors of `file` whose names begin with `prefix`, without it.
  static std::vector<Given> named(const SafetensorsFile& file, std::string_view prefix);
  /// The parts in the file of --state, by their names alone.
  std::vector<Given> stored(const Parts& parts) const;
  std::vector<Given> of_checkpoint(const Parts& parts, const std::vector<std::string>& terms) const;
  /// "loss.hint" for every loss term whose parts a checkpoint holds.
  std::vector<std::string> terms() const;
  void check_complete(const Parts& parts, const std::vector<Given>& given, bool whole) const;
  [[noreturn]] void refuse(std::string what, std::string expected, std::string mend) const;

  std::string id_;
  const SafetensorsFile& inputs_;
  std::unique_ptr<SafetensorsFile> file_;
};

}  // namespace kdhost
