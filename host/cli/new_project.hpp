// SPDX-License-Identifier: MIT
// The templates of `kdhost new`, which the build puts into the program so that it needs no file to find them.
#pragma once

#include <string>
#include <vector>

namespace kdhost {

/// One file of sdk/templates/new: "loss/component.cpp.in" and its text.
struct ProjectTemplate {
  std::string name;
  std::string text;
};

/// In the order of their names. Made by embed_templates.cmake.
const std::vector<ProjectTemplate>& project_templates();

}  // namespace kdhost
