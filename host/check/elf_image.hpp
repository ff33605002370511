// SPDX-License-Identifier: MIT
// What the dynamic linker will read in a plugin file: libraries, search paths, symbols with their versions. Read from
// the file, before any of its code runs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace kdhost::check {

struct ElfSymbol {
  std::string name{};
  bool defined = false;
  /// Weak: it may be missing (undefined) or be replaced by another library's (defined).
  bool weak = false;
  /// "GLIBC_2.34", of an undefined symbol that a library promises; empty for one without a version.
  std::string version{};
};

struct ElfImage {
  std::vector<std::string> libraries{};
  /// Entries of DT_RPATH and DT_RUNPATH.
  std::vector<std::string> search_paths{};
  /// All dynamic symbols that other libraries see or give.
  std::vector<ElfSymbol> symbols{};
  /// Versions asked for: "GLIBC_2.34", "GLIBCXX_3.4.30", ...
  std::vector<std::string> versions{};
};

/// Reads a 64-bit little-endian shared library. Error (plugin) where its tables contradict the file.
ElfImage read_elf_image(const std::filesystem::path& file);

}  // namespace kdhost::check
