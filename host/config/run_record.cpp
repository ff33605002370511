// SPDX-License-Identifier: MIT
// Reads state.json and resolved.toml of run folders, see run_record.hpp.
#include "config/run_record.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/atomic_file.hpp"
#include "config/reader.hpp"

namespace kdhost {

namespace fs = std::filesystem;

std::optional<RunRecord> run_record(const std::string& folder) {
  const std::string file = folder + "/state.json";
  std::error_code failed;
  if (!fs::is_regular_file(file, failed)) return std::nullopt;
  const auto json = nlohmann::json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  const auto text = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  RunRecord record{text("state"), text("experiment")};
  if (record.state.empty() || record.experiment.empty()) return std::nullopt;
  return record;
}

std::string runs_of(const std::string& experiment_file) { return "runs/" + fs::path(experiment_file).stem().string(); }

std::optional<std::string> unfinished_run(const std::string& out, const std::string& experiment_file,
                                          const std::string& hash, std::string* others) {
  std::vector<std::string> folders;
  std::error_code failed;
  if (!out.empty()) {
    folders.push_back(out);
  } else {
    for (const auto& entry : fs::directory_iterator(runs_of(experiment_file), failed))
      folders.push_back(entry.path().string());
    std::sort(folders.rbegin(), folders.rend());  // names begin with the time: newest first
  }
  for (const std::string& folder : folders) {
    const auto record = run_record(folder);
    if (!record) continue;
    const bool same = record->experiment == hash;
    if (same && record->state != "done") return folder;
    if (others)
      *others +=
          "\n  " + printable(folder, 4096) + ": " +
          (same ? "finished" : "of another experiment (something in the file or on the command line has changed)");
  }
  return std::nullopt;
}

std::optional<NumericsSettings> recorded_numerics(const std::string& folder) {
  const std::string file = folder + "/resolved.toml";
  std::error_code failed;
  if (!fs::exists(file, failed)) return std::nullopt;
  return read_experiment(file).numerics;
}

}  // namespace kdhost
