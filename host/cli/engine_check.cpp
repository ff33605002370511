// SPDX-License-Identifier: MIT
// kdhost check FILE: everything but the training. Mistakes are thrown; what it prints is the plan of a run that can
// start.
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/engine.hpp"

namespace kdhost {

void check_file(const Options& options) {
  const std::string& file = options.arguments.front();
  if (options.level || !options.only.empty() || !options.skip.empty() || options.in_process || options.reproduce ||
      options.limit_seconds || options.seed) {
    throw Error(Exit::usage, Message{.where = "kdhost check",
                                     .what = "was given an option that is about plugins, and the experiment file " +
                                             kdhost::quoted(file) + ".",
                                     .expected = "Expected a plugin, or none of --level, --only, --skip, --seed, "
                                                 "--reproduce, --limit and --in-process."});
  }
  RunInput input = read_run_input(file, options);
  const std::vector<std::string> plan = check_run(input);
  if (options.json) {
    const nlohmann::ordered_json answer = {{"file", file}, {"ok", true}, {"plan", plan}};
    std::cout << answer.dump(2) << "\n";
    return;
  }
  for (const std::string& line : plan) std::cout << printable(line, 2000) << "\n";
  std::cout << printable(file, 4096) << ": nothing wrong.\n";
}

}  // namespace kdhost
