// SPDX-License-Identifier: MIT
// What the tests of host/config share: a small experiment that is right, ways to change it, and the text of what the
// reader says about it.
#pragma once

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/reader.hpp"

namespace kdhost::test {

/// Fifteen lines, correct; tests change one of them or add lines from 16 on.
inline const std::string kGood =
    "[data]\n"                      //  1
    "use = \"kdhost.synthetic\"\n"  //  2
    "\n"                            //  3
    "[teacher]\n"                   //  4
    "use = \"kdhost.mlp\"\n"        //  5
    "\n"                            //  6
    "[student]\n"                   //  7
    "use = \"kdhost.mlp\"\n"        //  8
    "params = { hidden = [32] }\n"  //  9
    "\n"                            // 10
    "[[loss]]\n"                    // 11
    "use = \"kdhost.kd\"\n"         // 12
    "\n"                            // 13
    "[train]\n"                     // 14
    "epochs = 2\n";                 // 15

/// kGood with the first `from` replaced by `to`; with an empty `from`, `to` is added at the end.
inline std::string changed(const std::string& from, const std::string& to) {
  if (from.empty()) return kGood + to;
  std::string text = kGood;
  return text.replace(text.find(from), from.size(), to);
}

/// An environment of its own, independent of that of the test.
inline ReadOptions options(std::vector<std::string> overrides = {}, std::map<std::string, std::string> variables = {}) {
  const auto lookup = [variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(std::string(name));
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  return {.overrides = std::move(overrides), .environment = lookup};
}

inline Experiment read(const std::string& text, std::vector<std::string> overrides = {}) {
  return parse_experiment(text, "e.toml", options(std::move(overrides)));
}

/// Exit code and text of what `action` throws: "3\ne.toml:1:1: ...", or "no error".
template <class Action>
std::string error_from(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.exit())) + "\n" + error.what();
  }
  return "no error";
}

/// The messages about an experiment file, without the exit code when it is 3.
inline std::string error_of(const std::string& text, std::vector<std::string> overrides = {}) {
  const std::string found = error_from([&] { read(text, std::move(overrides)); });
  return found.compare(0, 2, "3\n") == 0 ? found.substr(2) : found;
}

/// The good experiment with `from` replaced by `to`, see changed(), and all that must be said about it.
struct WrongText {
  const char* from;
  const char* to;
  const char* text;
};

/// The rows about which something else is said, with both texts; "" where all are as promised.
inline std::string differing_texts(std::initializer_list<WrongText> rows) {
  std::string differing;
  for (const WrongText& row : rows) {
    const std::string found = error_of(changed(row.from, row.to));
    if (found != row.text)
      differing += "with: " + std::string(row.to) + "\nfound:\n" + found + "\nexpected:\n" + row.text + "\n";
  }
  return differing;
}

/// A folder of its own with files, removed at the end of the test.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("kdhost-config-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }

  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return file(name);
  }

  /// `text` with the folder's path replaced by "DIR".
  std::string shortened(std::string text) const {
    for (std::size_t at = 0; (at = text.find(path_.string(), at)) != std::string::npos;) {
      text.replace(at, path_.string().size(), "DIR");
    }
    return text;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace kdhost::test
