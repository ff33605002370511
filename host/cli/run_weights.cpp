// SPDX-License-Identifier: MIT
// Looks into a run folder, see run_weights.hpp.
#include "cli/run_weights.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "base/text.hpp"
#include "config/run_record.hpp"

namespace kdhost {
namespace {

namespace fs = std::filesystem;

// N of "seed-N".
std::optional<std::int64_t> seed_of(const std::string& name) {
  constexpr std::string_view kPrefix = "seed-";
  if (name.compare(0, kPrefix.size(), kPrefix) != 0) return std::nullopt;
  std::int64_t seed = 0;
  const char* end = name.data() + name.size();
  const auto [stop, failed] = std::from_chars(name.data() + kPrefix.size(), end, seed);
  return failed == std::errc() && stop == end ? std::optional(seed) : std::nullopt;
}

std::vector<std::int64_t> seeds_in(const std::string& run) {
  std::vector<std::int64_t> seeds;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(run, failed)) {
    if (const auto seed = seed_of(entry.path().filename().string())) seeds.push_back(*seed);
  }
  std::sort(seeds.begin(), seeds.end());
  return seeds;
}

}  // namespace

Message no_results(const std::string& folder) {
  Message message;
  message.where = printable(folder, 4096);
  message.expected = "Expected the folder of a finished run, such as runs/<experiment>/<time>-<hash>.";
  std::error_code failed;
  if (!fs::exists(folder, failed)) {
    message.what = "there is no such folder.";
    return message;
  }
  const auto record = run_record(folder);
  if (!record) {
    message.what = "this is not the folder of a run: it has no state.json.";
    return message;
  }
  message.what = "this run has no results yet: its state is '" + printable(record->state) + "'.";
  message.mend = "Finish it with `kdhost run FILE.toml --resume`.";
  return message;
}

std::vector<TrainedStudent> trained_students(const std::string& run, const Options& options) {
  std::error_code failed;
  if (!run_record(run)) throw Error(Exit::data, no_results(run));
  const std::string name = options.which == Which::best ? "student.safetensors" : "last.safetensors";
  std::vector<TrainedStudent> students;
  std::vector<std::string> finished;
  for (const std::int64_t seed : seeds_in(run)) {
    const std::string folder = (fs::path(run) / ("seed-" + std::to_string(seed))).string();
    bool any = false;
    for (const bool baseline : {false, true}) {
      const std::string file = folder + (baseline ? "/baseline/" : "/") + name;
      if (!fs::exists(file, failed)) continue;
      any = true;
      if (!options.seed || *options.seed == seed) students.push_back({seed, baseline, file});
    }
    if (any) finished.push_back(std::to_string(seed));
  }
  if (!students.empty()) return students;
  if (finished.empty()) throw Error(Exit::data, no_results(run));
  Message message;
  message.where = printable(run, 4096);
  message.what = "seed " + std::to_string(*options.seed) + " has no finished student.";
  message.expected = "Finished: " + join(finished) + ".";
  throw Error(Exit::data, std::move(message));
}

}  // namespace kdhost
