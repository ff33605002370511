// SPDX-License-Identifier: MIT
#include "train/run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "config/run_record.hpp"

namespace kdhost {
namespace fs = std::filesystem;

namespace {
void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    throw Error(Exit::data, Message{{},
                                    path,
                                    "the folder cannot be made: " + error.message() + ".",
                                    "Expected a place for the files of the run.",
                                    "Choose another with --out, or permit writing there."});
}

// A folder in which a run was about to begin when it was killed: nothing but its lock, or what was being written.
bool not_begun(const std::string& path) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(path, failed)) {
    const std::string name = entry.path().filename().string();
    if (name != "lock" && name.rfind("state.json.", 0) != 0) return false;
  }
  return !failed;
}

const char* word(RunState s) {
  switch (s) {
    case RunState::running:
      return "running";
    case RunState::interrupted:
      return "interrupted";
    case RunState::failed:
      return "failed";
    case RunState::done:
      return "done";
  }
  return "running";
}
}  // namespace

RunFolder::RunFolder(std::string path, std::string hash) : path_(std::move(path)), hash_(std::move(hash)) { lock(); }

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)),
      hash_(std::move(other.hash_)),
      lock_(std::exchange(other.lock_, -1)),
      is_new_(other.is_new_) {}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

void RunFolder::lock() {
  const std::string name = file("lock");
  lock_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0)
    throw Error(Exit::data, Message{{},
                                    name,
                                    std::string("cannot be opened for writing: ") + std::strerror(errno) + ".",
                                    "Expected a folder that may be written to.",
                                    "Choose another folder with --out, or permit writing there."});
  // The kernel drops the lock when its owner dies, however it dies.
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    char owner[32] = {};
    const auto n = ::pread(lock_, owner, sizeof owner - 1, 0);
    (void)n;
    throw Error(Exit::data, Message{{},
                                    path_,
                                    std::string("another run is writing here (process ") + owner + ").",
                                    "Expected one run in a folder.",
                                    "Wait until it has ended, or choose another folder with --out."});
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, pid.data(), pid.size(), 0) < 0)
    throw Error(Exit::data, Message{{},
                                    name,
                                    std::string("cannot be written: ") + std::strerror(errno) + ".",
                                    "",
                                    "Make room on the disk, or choose another folder with --out."});
}

RunFolder RunFolder::create(const std::string& out, const std::string& experiment_file, const std::string& hash) {
  std::string path = out;
  if (path.empty()) {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    char time[32];
    std::strftime(time, sizeof time, "%Y%m%d-%H%M%S", &local);
    const std::string base = runs_of(experiment_file) + "/" + time + "-" + hash.substr(0, 8);
    path = base;
    for (int n = 2; fs::exists(path); ++n) path = base + "-" + std::to_string(n);
  } else if (fs::exists(path) && !not_begun(path)) {
    throw Error(Exit::usage,
                Message{{},
                        "--out " + printable(path, 4096),
                        "it exists and is not empty.",
                        "Expected a new or empty folder.",
                        run_record(path) ? "Add --resume to go on with the run in it." : "Choose another."});
  }
  const bool is_new = !fs::exists(path);
  make_folder(path);
  RunFolder folder(path, hash);
  folder.is_new_ = is_new;
  remove_stale_temporaries(path);
  // First of all, so that a run that is killed while its teacher is trained can be resumed too.
  folder.set_state(RunState::running);
  return folder;
}

RunFolder RunFolder::resume(const std::string& out, const std::string& experiment_file, const std::string& hash) {
  std::string seen;
  const auto found = unfinished_run(out, experiment_file, hash, &seen);
  if (!found)
    throw Error(Exit::usage, Message{{},
                                     "--resume",
                                     "there is no unfinished run of this experiment." + seen,
                                     "Expected one that was interrupted, in " +
                                         printable(out.empty() ? runs_of(experiment_file) : out, 4096) + ".",
                                     "Leave --resume out to start a new run."});
  return RunFolder(*found, hash);
}

void RunFolder::abandon() {
  std::error_code ignored;
  for (const char* name : {"experiment.toml", "manifest.json", "resolved.toml", "state.json", "lock"})
    fs::remove(file(name), ignored);
  // What somebody else has put there stays, and so does a folder that was there before.
  if (is_new_) fs::remove(path_, ignored);
}

std::string RunFolder::leg(int64_t seed, bool baseline) const {
  const std::string path = file("seed-" + std::to_string(seed)) + (baseline ? "/baseline" : "");
  make_folder(path);
  remove_stale_temporaries(path);
  return path;
}

void RunFolder::set_state(RunState state) {
  const nlohmann::ordered_json j = {{"state", word(state)}, {"experiment", hash_}};
  write_file(file("state.json"), j.dump(2) + "\n");
}

}  // namespace kdhost
