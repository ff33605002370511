// SPDX-License-Identifier: MIT
// kdhost compare RUN...: one table of several runs, from their summary.json.
#include <filesystem>
#include <iostream>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "cli/engine.hpp"
#include "cli/run_weights.hpp"
#include "report/comparison.hpp"

namespace kdhost {

void compare_runs(const Options& options) {
  std::vector<RunResult> runs;
  std::vector<Message> problems;
  for (const std::string& folder : options.arguments) {
    const std::string summary = folder + "/summary.json";
    std::error_code failed;
    if (std::filesystem::exists(summary, failed)) {
      runs.push_back(run_result_from_json(read_file(summary), summary));
      continue;
    }
    problems.push_back(no_results(folder));
  }
  if (!problems.empty()) throw Error(Exit::data, std::move(problems));
  switch (options.table_format) {
    case TableFormat::text:
      std::cout << comparison_text(runs);
      break;
    case TableFormat::markdown:
      std::cout << comparison_markdown(runs);
      break;
    case TableFormat::csv:
      std::cout << comparison_csv(runs);
      break;
    case TableFormat::json:
      std::cout << comparison_json(runs);
      break;
  }
}

}  // namespace kdhost
