// SPDX-License-Identifier: MIT
// kdhost run: the main job.
#include <iostream>

#include "base/launch.hpp"
#include "base/watchdog.hpp"
#include "cli/engine.hpp"
#include "report/table.hpp"

namespace kdhost {

void run_file(const Options& options, const std::string& file) {
  RunInput input = read_run_input(file, options);
  RunOptions run;
  run.out = options.out.value_or("");
  run.resume = options.resume;
  run.allow_changes = options.allow_changes;
  run.launch = environment_variable("KDHOST_LAUNCH").value_or("");
  const Watchdog watchdog(options.patience_seconds ? static_cast<double>(*options.patience_seconds) : kPatience);
  const RunResult result = run_experiment(input, run);
  std::cout << (options.json ? to_json(result) : closing_table(result)) << std::flush;
}

}  // namespace kdhost
