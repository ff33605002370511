// SPDX-License-Identifier: MIT
// Turns errors into exit codes, see program_end.hpp.
#include "cli/program_end.hpp"

#include <exception>
#include <iostream>

#include "base/error.hpp"
#include "base/log.hpp"

namespace kdhost {
namespace {

// Nothing was seen to fail until the buffer is flushed: a full disk shows only here.
void flush_results() {
  std::cout.flush();
  if (std::cout) return;
  Message message;
  message.where = "standard output";
  message.what = "cannot be written.";
  message.mend = "Make room on the disk, or write elsewhere.";
  throw Error(Exit::data, std::move(message));
}

}  // namespace

int exit_code_of(const std::function<int()>& answer) {
  try {
    const int code = answer();
    flush_results();
    return code;
  } catch (const Error& error) {
    log::error(error);
    return static_cast<int>(error.exit());
  } catch (const std::exception& error) {
    std::cerr << "kdhost: internal error: " << printable(error.what(), 4000)
              << "\n  This is a defect of kdhost. Please report it with the command that led here.\n";
    return static_cast<int>(Exit::internal);
  }
}

}  // namespace kdhost
