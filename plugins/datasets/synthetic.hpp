// SPDX-License-Identifier: MIT
// kdhost.synthetic: made-up images that can be learned, for trials and tests that need no files.
#pragma once
#include "resident_data.hpp"

namespace kdhost::plugins {

struct Synthetic final : ResidentData {
  static void describe(Spec& s);
  explicit Synthetic(const Params& p);

 private:
  void make(Split split, std::int64_t samples, const std::vector<float>& prototypes, double noise, std::uint64_t seed);
};

}  // namespace kdhost::plugins
