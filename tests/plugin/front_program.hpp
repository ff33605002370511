// SPDX-License-Identifier: MIT
// The thin program in a folder of its own, so that no shipped plugin is beside it: shared by the tests that start it.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "plugin/zoo_files.hpp"

namespace kdhost::test {

struct Answer {
  int exit = -1;
  std::string out;
  std::string err;
};

class Front {
 public:
  Front() {
    std::filesystem::create_directories(folder_ / "bin");
    std::filesystem::create_directories(plugins());
    std::filesystem::copy_file(kProgram, folder_ / "bin" / "kdhost");
    folder_.with({"healthy"});
    std::filesystem::rename(folder_ / "healthy.so", plugins() / "healthy.so");
  }

  Answer run(const std::string& arguments, const std::string& environment = "") const {
    const std::string command = "cd '" + folder_.path().string() + "' && " + environment + " ./bin/kdhost " +
                                arguments + " >out.txt 2>err.txt </dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, folder_.shown(read_file(folder_ / "out.txt")),
            folder_.shown(read_file(folder_ / "err.txt"))};
  }

  // Gives the program an engine that prints its arguments and a part of its environment.
  void add_engine() const {
    write_file(folder_ / "bin" / "kdhost-engine",
               "#!/bin/sh\nprintf 'arg %s\\n' \"$@\"\nenv | grep -E '^(OMP_NUM_THREADS|MALLOC_|KDHOST_LAUNCH)' | sort\n"
               "exit 6\n");
    std::filesystem::permissions(folder_ / "bin" / "kdhost-engine", std::filesystem::perms::owner_all);
  }

  std::filesystem::path plugins() const { return folder_ / "lib/kdhost/plugins"; }
  const Folder& folder() const { return folder_; }

 private:
  Folder folder_;
};

inline const std::string kGood =
    "[data]\nuse = \"zoo.nothing\"\n[student]\nuse = \"zoo.net\"\n[[loss]]\nuse = \"zoo.plain\"\n[[metric]]\n"
    "use = \"zoo.hits\"\n";

}  // namespace kdhost::test
