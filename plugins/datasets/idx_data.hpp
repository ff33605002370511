// SPDX-License-Identifier: MIT
// kdhost.idx: any pairs of IDX files, plain or gzipped.
#pragma once
#include "resident_data.hpp"

namespace kdhost::plugins {

struct Idx final : ResidentData {
  static void describe(Spec& s);
  explicit Idx(const Params& p);

 private:
  void add(Split split, const std::string& inputs, const std::string& labels, const Params& p);
};

}  // namespace kdhost::plugins
