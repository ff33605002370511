// SPDX-License-Identifier: MIT
// What the plugin tests share: the plugins of tests/zoo, folders that vanish, the text of an error without the folder.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <kdhost_test_paths.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "plugin/registry.hpp"

namespace kdhost::test {

/// A plugin of the zoo in the build tree.
inline std::filesystem::path zoo(const std::string& name) {
  return std::filesystem::path(kBuildDir) / "tests" / "zoo" / (name + ".so");
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

/// `text` with every `from` replaced.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kdhost-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  ~Folder() {
    std::error_code failed;
    std::filesystem::remove_all(path_, failed);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  /// Copies plugins of the zoo into the folder, under their own names.
  Folder& with(const std::vector<std::string>& names) {
    for (const std::string& name : names) std::filesystem::copy_file(zoo(name), path_ / (name + ".so"));
    return *this;
  }
  /// `text` with the folder written DIR.
  std::string shown(const std::string& text) const { return replaced(text, path_.string(), "DIR"); }

 private:
  std::filesystem::path path_;
};

/// The error that `call` throws, "exit N: text".
template <class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return "exit " + std::to_string(static_cast<int>(error.exit())) + ": " + error.what();
  }
  return "no error";
}

inline HostAbi host_with_torch() {
  HostAbi host;
  host.torch_fingerprint = "torch=2.13.0 cxx11abi=1 cuda=none";
  return host;
}

inline SearchPlace place_of(const std::filesystem::path& path,
                            SearchPlace::Origin origin = SearchPlace::Origin::command_line) {
  return {path, origin, {}};
}

}  // namespace kdhost::test
