// SPDX-License-Identifier: MIT
// kdhost.tensors: a data set of ready-made tensors, one safetensors file a split.
#pragma once
#include "resident_data.hpp"

namespace kdhost::plugins {

struct TensorFiles final : ResidentData {
  static void describe(Spec& s);
  explicit TensorFiles(const Params& p);

 private:
  void load(Split split, const std::string& path, const Params& p);
  void check_labels(Split split, const std::string& path, std::int64_t samples, std::int64_t classes) const;
  std::int64_t largest_label() const;
};

}  // namespace kdhost::plugins
