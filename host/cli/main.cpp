// SPDX-License-Identifier: MIT
// The thin program `kdhost`: reads the command line, answers what needs no LibTorch, hands everything else to
// kdhost-engine.
#include <iostream>
#include <string>
#include <vector>

#include "base/crash.hpp"
#include "base/log.hpp"
#include "cli/front.hpp"
#include "cli/options.hpp"
#include "cli/program_end.hpp"

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
    case Command::new_project:
      return kdhost::new_project(options);
    default:
      kdhost::compute(options, arguments);
  }
}

}  // namespace

int main(int argc, char** argv) {
  kdhost::watch_for_crashes();
  return kdhost::exit_code_of([&] { return answer({argv + 1, argv + argc}); });
}
