// SPDX-License-Identifier: MIT
// Files that are whole or absent.
#include "base/atomic_file.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/error.hpp"

using namespace kdhost;
namespace fs = std::filesystem;

namespace {

// A folder of its own for each test, removed at its end.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("kdhost-files-" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string file(const std::string& name) const { return (path / name).string(); }
  int entries() const {
    return static_cast<int>(std::distance(fs::directory_iterator(path), fs::directory_iterator{}));
  }
};

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::data);
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a file appears whole, with the mode the umask allows, and nothing beside it", "[base]") {
  const Folder folder;
  write_file(folder.file("a"), "one");
  CHECK(read_file(folder.file("a")) == "one");
  write_file(folder.file("a"), "two");
  CHECK(read_file(folder.file("a")) == "two");
  CHECK(folder.entries() == 1);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  struct stat status {};
  REQUIRE(::stat(folder.file("a").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == (0666 & ~mask));
}

TEST_CASE("a file that is not committed leaves the old one as it is", "[base]") {
  const Folder folder;
  write_file(folder.file("a"), "old");
  {
    AtomicFile file(folder.file("a"));
    file.write("new, but only half");
    CHECK(folder.entries() == 2);
    CHECK(read_file(folder.file("a")) == "old");
  }
  CHECK(read_file(folder.file("a")) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a place that cannot be written is named with the reason", "[base]") {
  const Folder folder;
  CHECK(error_of([&] { write_file(folder.file("no/such/a"), "x"); }) ==
        folder.file("no/such/a") +
            ": cannot be written: No such file or directory.\n  Check the spelling of the path.");
  fs::create_directories(folder.file("taken"));
  CHECK(error_of([&] { write_file(folder.file("taken"), "x"); }) ==
        folder.file("taken") + ": cannot be renamed into place: Is a directory.");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a write that the system refuses half-way leaves the old file and says why", "[base]") {
  const Folder folder;
  write_file(folder.file("a"), "old");
  // A limit on the size of files stands in for a full disk; it is set in a child, since it cannot be taken back.
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    std::string text = "no error";
    try {
      write_file(folder.file("a"), std::string(5000, 'x'));
    } catch (const Error& error) {
      text = error.what();
    }
    std::ofstream(folder.file("said")) << text;
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  CHECK(read_file(folder.file("said")) == folder.file("a") + ": cannot be written: File too large.");
  CHECK(read_file(folder.file("a")) == "old");
  CHECK(folder.entries() == 2);
}

TEST_CASE("reading says what is missing and what is too large", "[base]") {
  const Folder folder;
  CHECK(error_of([&] { read_file(folder.file("a")); }) ==
        folder.file("a") + ": cannot be opened: No such file or directory.\n  Check the spelling of the path.");
  write_file(folder.file("a"), "123456");
  CHECK(error_of([&] { read_file(folder.file("a"), 5); }) ==
        folder.file("a") + ": is larger than 5 bytes.\n  Expected a file of at most that size.");
  CHECK(error_of([&] { read_file(folder.path.string()); }) ==
        folder.path.string() + ": cannot be read: Is a directory.");
}

TEST_CASE("temporary files of killed processes are removed, those of living ones stay", "[base]") {
  const Folder folder;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  write_file(folder.file("a.tmp-" + std::to_string(child) + "-0"), "left over");
  write_file(folder.file("a.tmp-" + std::to_string(::getpid()) + "-0"), "in use");
  write_file(folder.file("notes.tmp-x"), "not ours");
  write_file(folder.file("a"), "whole");
  CHECK(remove_stale_temporaries(folder.path.string()) == 1);
  CHECK(folder.entries() == 3);
  CHECK(remove_stale_temporaries(folder.file("nowhere")) == 0);
}
