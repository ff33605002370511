// SPDX-License-Identifier: MIT
// kdhost.mnist and kdhost.fashion_mnist: the same four IDX files, found in folders of different names.
#pragma once
#include "resident_data.hpp"

namespace kdhost::plugins {

/// 28 x 28 images of ten classes in the four files of MNIST.
class MnistFiles : public ResidentData {
 protected:
  void load(const std::string& folder, std::vector<std::string> class_names);
};

struct Mnist final : MnistFiles {
  static void describe(Spec& s);
  Mnist(const Params& p, const Facts& facts);
};

struct FashionMnist final : MnistFiles {
  static void describe(Spec& s);
  FashionMnist(const Params& p, const Facts& facts);
};

}  // namespace kdhost::plugins
