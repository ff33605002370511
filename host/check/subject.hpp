// SPDX-License-Identifier: MIT
// The plugin under test, seen from inside the process that tests it: its file, its record, how its loading went, its
// components. Everything is found out once, when a test first asks, so that a test alone (--only) works as in a row.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "check/elf_image.hpp"
#include "check/process_state.hpp"
#include "config/value.hpp"
#include "plugin/library.hpp"

namespace kdhost::check {

/// What the user chose, as far as tests look at it.
struct Settings {
  std::filesystem::path file{};
  HostAbi host{};
  /// Of all random inputs and parameters.
  std::uint64_t seed = 0;
  /// One case of the random tests instead of all.
  std::optional<std::uint64_t> reproduce{};
  /// Parameters that take the place of the usual ones: by component, a table.
  std::map<std::string, Value> parameters{};
  /// Folders in which data sets look for their files.
  std::vector<std::string> data_places{};
  /// The program that runs tests under other tools; empty: those are skipped.
  std::filesystem::path program{};
};

/// How the loading went, observed around dlopen and the first kdh_plugin_query.
struct Loading {
  /// What the dynamic linker said; empty when it loaded.
  std::string refusal{};
  /// What was thrown out of a static initialiser; empty when nothing.
  std::string thrown_early{};
  /// What was thrown out of kdh_plugin_query; empty when nothing.
  std::string thrown{};
  bool has_entry = false;
  /// Of dlopen, without the time this thread was ready and waited for a processor.
  double milliseconds = 0.0;
  kdh_plugin_query_fn query = nullptr;
  const kdh_plugin* description = nullptr;
  ProcessState before{};
  ProcessState after{};
};

class Subject {
 public:
  explicit Subject(Settings settings) : settings_(std::move(settings)) {}

  const Settings& settings() const { return settings_; }
  const std::filesystem::path& file() const { return settings_.file; }

  /// From the file alone. These throw Error where there is nothing to read.
  const Record& record();
  const ElfImage& image();

  /// True once plugin code ran in this process.
  bool loaded() const { return loading_.has_value(); }
  const Loading& loading();
  /// The opened plugin, description checked; throws Error.
  const Library& library();
  const ComponentInfo& component(std::string_view id);

 private:
  Settings settings_;
  std::optional<Record> record_;
  std::optional<ElfImage> image_;
  std::optional<Loading> loading_;
  const Library* library_ = nullptr;
};

/// Text of everything that a description says: equal texts mean equal descriptions.
std::string description_text(const Record& record);

}  // namespace kdhost::check
