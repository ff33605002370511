// SPDX-License-Identifier: MIT
// kdhost.cifar10 and kdhost.cifar100: 32 x 32 colour images in the official binary files, records of fixed size:
//   CIFAR-10    label, then 3,072 bytes of pixels (1,024 red, 1,024 green, 1,024 blue, row by row)
//   CIFAR-100   coarse label, fine label, then the same
#pragma once
#include "resident_data.hpp"

namespace kdhost::plugins {

class CifarFiles : public ResidentData {
 protected:
  struct Layout {
    std::size_t label_bytes = 1;  ///< before the pixels
    std::size_t label_at = 0;     ///< which of them is the label
    std::int64_t classes = 10;
  };
  void set_info(const Layout& layout);
  void load(Split split, const std::vector<std::string>& paths, const Layout& layout);
};

struct Cifar10 final : CifarFiles {
  static void describe(Spec& s);
  Cifar10(const Params& p, const Facts& facts);
};

struct Cifar100 final : CifarFiles {
  static void describe(Spec& s);
  Cifar100(const Params& p, const Facts& facts);
};

}  // namespace kdhost::plugins
