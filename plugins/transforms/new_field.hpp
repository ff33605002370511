// SPDX-License-Identifier: MIT
//
// What the transforms share that add a field to the batch instead of changing one: its name. Used by kdhost.view,
// kdhost.rotations and kdhost.thumbnail.
#pragma once
#include "image_batch.hpp"

namespace kdhost::plugins {

inline void declare_new_field(Spec& s, std::string_view name) { s.text("name", name).doc("the field that is added"); }

/// The name written for the new field; refuses those that every batch has, and what a tap could not name.
inline std::string new_field(const Params& p) {
  const std::string name(p.text("name"));
  const bool taken = name == kInput || name == kLabel || name == "index";
  if (!taken && !name.empty() && name.find_first_of("@:. ") == std::string::npos) return name;
  throw std::invalid_argument("parameter 'name' is '" + name +
                              "', expected the name of a new field: no '@', ':', '.' or space in it, and not input, "
                              "label or index, which every batch has");
}

}  // namespace kdhost::plugins
