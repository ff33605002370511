// SPDX-License-Identifier: MIT
// What the tests of the commands share: a folder with small experiments in which the built program runs as a user's
// would, with a cache of its own.
#pragma once

#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <kdhost_test_paths.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>

namespace kdhost::test {

struct Answer {
  int exit = -1;
  std::string out;
  std::string err;
  nlohmann::ordered_json json() const { return nlohmann::ordered_json::parse(out); }
};

class Program {
 public:
  Program() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kdhost-cli-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = std::filesystem::canonical(pattern);
  }
  ~Program() {
    std::error_code failed;
    std::filesystem::remove_all(folder_, failed);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary | std::ios::trunc) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }

  /// Runs any command line in the folder; "kdhost" means the built program. The folder's path is shown as DIR.
  Answer shell(const std::string& command) const {
    const std::string line = "cd '" + folder_.string() + "' && kdhost() { '" + kProgram + "' \"$@\"; } && { " +
                             command + "; } >.out 2>.err </dev/null";
    ::setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1);
    for (const char* name : {"KDHOST_PLUGIN_PATH", "KDHOST_ENGINE", "KDHOST_DATA"}) ::unsetenv(name);
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, shown(read(".out")), shown(read(".err"))};
  }
  Answer kdhost(const std::string& arguments) const { return shell("kdhost " + arguments); }

  /// The folder of the only run of an experiment: "runs/tiny/...".
  std::string run_of(const std::string& experiment) const {
    std::string found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "runs" / experiment)) {
      REQUIRE(found.empty());
      found = "runs/" + experiment + "/" + entry.path().filename().string();
    }
    return found;
  }

  /// "tiny.toml" with its teacher's file: two seeds, 16 steps each, a data set that needs no files.
  void write_experiment() const {
    const std::string data =
        "[data]\nuse = \"kdhost.synthetic\"\nparams = { samples = 80, test_samples = 40, classes = 4, shape = [1, 4, "
        "4] }\n"
        "batch = 16\nvalidation = 16\n";
    const std::string rest = "[optimizer]\nuse = \"adam\"\nlr = 0.02\n[train]\nepochs = 4\n";
    write("teacher.toml", data +
                              "[student]\nuse = \"kdhost.mlp\"\nparams = { hidden = [16] }\n[[loss]]\nuse = "
                              "\"kdhost.cross_entropy\"\n" +
                              rest);
    write("tiny.toml",
          "title = \"Tiny\"\nseeds = [1, 2]\n" + data +
              "[teacher]\nfrom = \"teacher.toml\"\n[student]\nuse = \"kdhost.mlp\"\nparams = { hidden = [4] "
              "}\n[[loss]]\nuse = \"kdhost.cross_entropy\"\nweight = 0.5\n[[loss]]\nuse = \"kdhost.kd\"\nweight = "
              "0.5\n" +
              rest);
  }

  /// `text` with the folder's path replaced by DIR.
  std::string shown(std::string text) const {
    const std::string path = folder_.string();
    for (std::size_t at = 0; (at = text.find(path, at)) != std::string::npos; at += 3)
      text.replace(at, path.size(), "DIR");
    return text;
  }

 private:
  std::filesystem::path folder_;
};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace kdhost::test
