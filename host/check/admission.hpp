// SPDX-License-Identifier: MIT
// The trial of a plugin that was never used before: the quick tests of the validator, in a process of its own, so that
// a plugin that crashes while it is loaded or makes a component is an error with a name and not a dead program. What
// passed is remembered by content.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "plugin/library.hpp"

namespace kdhost::check {

struct AdmissionSettings {
  HostAbi host{};
  /// Folder with one small file for each plugin that passed.
  std::filesystem::path memory{};
  /// Seconds for one test, after which the plugin counts as hanging.
  double limit = 10.0;
  /// Seconds after which no further component is tried: a start shall not wait for a plugin with very many.
  double budget = 1.0;
};

class Admission {
 public:
  explicit Admission(AdmissionSettings settings) : settings_(std::move(settings)) {}

  /// Tries `file` unless its content has passed before. Error (plugin): it crashed, hung or ended the process. What
  /// else is wrong with its file and its loading is only warned of, each time. Forks, so it must come before the
  /// program computes. [main thread]
  void admit(const std::filesystem::path& file);

 private:
  void try_file(const std::filesystem::path& file, const std::string& key);
  void remember(const std::filesystem::path& file, const std::string& key) const;

  AdmissionSettings settings_;
  std::map<std::string, std::optional<Error>> tried_;  ///< in this process, by key
};

}  // namespace kdhost::check
