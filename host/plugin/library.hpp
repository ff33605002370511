// SPDX-License-Identifier: MIT
// An opened plugin. Opening is the moment from which plugin code runs: the record has been checked against this
// host before, the live description is checked against the record right after. Libraries are never unloaded,
// because autograd nodes and tensors may call into them until the process ends.
#pragma once

#include <kdhost/abi.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "plugin/record.hpp"

namespace kdhost {

/// What this program offers to plugins.
struct HostAbi {
  std::uint32_t major = KDH_ABI_MAJOR;
  std::uint32_t minor = KDH_ABI_MINOR;
  /// "torch=2.13.0 cxx11abi=1 cuda=none"; empty: not known to this program, so it is not compared.
  std::string torch_fingerprint{};
  /// Only a program that has LibTorch in its process can open exact plugins.
  bool can_open_exact = false;
  /// False in a program that goes by records alone and leaves it to another to open plugins.
  bool can_open = true;
  /// Called by a registry with each file that did not come with the program, before it opens it the first time; throws
  /// Error to refuse it. May be empty.
  std::function<void(const std::filesystem::path&)> admit{};
};

/// A loaded plugin with its checked description. One object per file and process.
class Library {
 public:
  const std::filesystem::path& file() const { return file_; }
  const kdh_plugin& description() const { return *description_; }
  /// The description as values; always lists its components.
  const Record& record() const { return record_; }
  /// The live component, or null.
  const kdh_component* component(std::string_view id) const;

  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

 private:
  friend const Library& open_library(const std::filesystem::path&, const Record&, const HostAbi&);
  Library(std::filesystem::path file, const kdh_plugin* description, Record record)
      : file_(std::move(file)), description_(description), record_(std::move(record)) {}

  std::filesystem::path file_;
  const kdh_plugin* description_;
  Record record_;
};

/// What came of handing a file to the dynamic linker.
struct LoadedFile {
  void* handle = nullptr;  ///< null where it does not load
  std::string refusal{};   ///< what the linker said then
  std::string thrown{};    ///< what a static initialiser threw; then the linker has not come to its end
};

/// Loads a file with all its symbols bound, kept apart from others and for ever. Runs its static initialisers. [main
/// thread]
LoadedFile load_file(const std::filesystem::path& file);

/// Throws Error (exit 5) where a plugin with this record cannot work in this host: ABI major, newer minor,
/// fingerprint. Runs no plugin code.
void check_record(const Record& record, const std::filesystem::path& file, const HostAbi& host);

/// Loads `file` (once per process; a link to a file that is already open gives the same Library), asks for its
/// description and checks it. Throws Error (exit 5). [main thread]
const Library& open_library(const std::filesystem::path& file, const Record& record, const HostAbi& host);

}  // namespace kdhost
