// SPDX-License-Identifier: MIT
// Teachers that `from` names: trained on demand by their own experiment file, once, and kept in the user's cache by a
// key of everything that decides their weights.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/hash.hpp"
#include "base/launch.hpp"
#include "base/log.hpp"
#include "config/run_record.hpp"
#include "config/writer.hpp"
#include "train/environment.hpp"
#include "train/run.hpp"
#include "train/run_folder.hpp"

namespace kdhost {
namespace fs = std::filesystem;

namespace {
/// Waits for whoever makes the same teacher; the kernel drops the lock when its owner dies.
class FolderLock {
 public:
  explicit FolderLock(const std::string& path) : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (descriptor_ >= 0) ::flock(descriptor_, LOCK_EX);
  }
  ~FolderLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

/// The data files that a finished teacher was trained on are still the same.
bool same_data(const std::string& manifest) {
  const auto j = nlohmann::json::parse(read_file(manifest), nullptr, false);
  if (!j.is_object() || !j.contains("data")) return false;
  for (const auto& [path, hash] : j["data"].items()) {
    std::error_code error;
    if (!fs::exists(path, error) || hash_file(path).hex() != hash.get<std::string>()) return false;
  }
  return true;
}
}  // namespace

TeacherFromFile trained_teacher(RunInput& file, const Teacher& teacher, bool may_train) {
  Experiment& e = file.experiment;
  TeacherFromFile made;
  made.component = e.student.component;
  Experiment alone = e;
  alone.seeds.resize(1);
  alone.baseline.enabled = Flag(false);
  const std::string hash = experiment_hash(alone);
  const std::string key = Hasher().add(hash).add(environment_key(alone, *file.registry)).digest().hex();
  const std::string folders = cache_folder() + "/teachers";
  const std::string folder = folders + "/" + key.substr(0, 20);
  const std::string weights = folder + "/seed-" + std::to_string(alone.seeds.front().value) + "/student.safetensors";
  std::error_code error;
  const auto finished = [&] {
    const auto record = run_record(folder);
    return record && record->state == "done" && fs::exists(weights, error) && same_data(folder + "/manifest.json");
  };
  if (finished()) {
    made.weights = weights;
    return made;
  }
  if (!may_train) return made;
  fs::create_directories(folders, error);
  const FolderLock lock(folders + "/" + key.substr(0, 20) + ".lock");
  if (finished()) {
    made.weights = weights;
    return made;
  }
  const auto begun = run_record(folder);
  const bool resume = begun && begun->state != "done" && begun->experiment == hash;
  if (!resume) fs::remove_all(folder, error);
  log::info("teacher " + kdhost::quoted(teacher.name.value) + ": " + (resume ? "going on with" : "training") + " " +
            teacher.from->value + " (once; kept in " + folder + ")");
  RunInput input = file;
  input.experiment = alone;
  RunOptions options;
  options.out = folder;
  options.resume = resume;
  run_experiment(input, options);
  made.weights = weights;
  return made;
}

}  // namespace kdhost
