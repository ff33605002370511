// SPDX-License-Identifier: MIT
// Where errors of both programs end.
#include "cli/program_end.hpp"

#include <catch2/catch.hpp>
#include <iostream>
#include <sstream>
#include <stdexcept>

#include "base/error.hpp"

using namespace kdhost;

namespace {

// What is written to standard error while it lives.
class Captured {
 public:
  Captured() : before_(std::cerr.rdbuf(text_.rdbuf())) {}
  ~Captured() { std::cerr.rdbuf(before_); }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* before_;
};

}  // namespace

TEST_CASE("an answer's exit code is the program's, and so is that of an error") {
  CHECK(exit_code_of([] { return 0; }) == 0);
  CHECK(exit_code_of([] { return 6; }) == 6);
  CHECK(exit_code_of([]() -> int { throw Error(Exit::plugin, Message{.what = "broken."}); }) == 5);
}

TEST_CASE("what is no error of the user is told as a defect, without control characters") {
  const Captured captured;
  CHECK(exit_code_of([]() -> int { throw std::logic_error("a \x1b[31mbroken promise"); }) == 1);
  CHECK(captured.text() ==
        "kdhost: internal error: a ?[31mbroken promise\n"
        "  This is a defect of kdhost. Please report it with the command that led here.\n");
}
