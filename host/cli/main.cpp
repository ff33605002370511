// SPDX-License-Identifier: MIT
// The thin program `kdhost`: reads the command line, answers what needs no LibTorch, hands everything else to
// kdhost-engine. Together with the engine's own main this is the only place where errors end.
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"
#include "cli/front.hpp"
#include "cli/options.hpp"

namespace {

int answer(const std::vector<std::string>& arguments) {
  using kdhost::Command;
  const kdhost::Options options = kdhost::parse_options(arguments);
  if (options.answer) {
    std::cout << *options.answer;
    return 0;
  }
  kdhost::log::set_quiet(options.quiet);
  switch (options.command) {
    case Command::plugins:
      return kdhost::list_plugins(options);
    case Command::describe:
      return kdhost::describe_component(options);
    case Command::schema:
      return kdhost::print_schema();
    default:
      kdhost::compute(options, arguments);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const int code = answer({argv + 1, argv + argc});
    std::cout.flush();
    if (std::cout) return code;
    kdhost::Message message;
    message.where = "standard output";
    message.what = "cannot be written.";
    message.mend = "Make room on the disk, or write elsewhere.";
    throw kdhost::Error(kdhost::Exit::data, std::move(message));
  } catch (const kdhost::Error& error) {
    kdhost::log::error(error);
    return static_cast<int>(error.exit());
  } catch (const std::exception& error) {
    std::cerr << "kdhost: internal error: " << error.what() << "\n  Please report it with the command that led here.\n";
    return static_cast<int>(kdhost::Exit::internal);
  }
}
