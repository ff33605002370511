// SPDX-License-Identifier: MIT
#include "train/run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"

namespace kdhost {
namespace fs = std::filesystem;

namespace {
std::string runs_of(const std::string& experiment_file) {
  return "runs/" + fs::path(experiment_file).stem().string();
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    throw Error(Exit::data, Message{{}, path, "the folder cannot be made: " + error.message(), "",
                                    "choose another with --out, or permit writing there"});
}

const char* word(RunState s) {
  switch (s) {
    case RunState::running: return "running";
    case RunState::interrupted: return "interrupted";
    case RunState::failed: return "failed";
    case RunState::done: return "done";
  }
  return "running";
}
}  // namespace

std::string state_of(const std::string& folder, std::string* hash) {
  std::error_code error;
  if (!fs::exists(folder + "/state.json", error)) return {};
  const auto state = nlohmann::json::parse(read_file(folder + "/state.json"), nullptr, /*allow_exceptions=*/false);
  if (!state.is_object() || !state.contains("state") || !state.contains("experiment")) return {};
  if (hash) *hash = state["experiment"].get<std::string>();
  return state["state"].get<std::string>();
}

RunFolder::RunFolder(std::string path, std::string hash) : path_(std::move(path)), hash_(std::move(hash)) { lock(); }

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)), hash_(std::move(other.hash_)), lock_(std::exchange(other.lock_, -1)) {}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

void RunFolder::lock() {
  const std::string name = file("lock");
  lock_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_ < 0)
    throw Error(Exit::data, Message{{}, name, std::string("cannot be opened for writing: ") + std::strerror(errno), "",
                                    "choose another folder with --out, or permit writing there"});
  // The kernel drops the lock when its owner dies, however it dies.
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    char owner[32] = {};
    const auto n = ::pread(lock_, owner, sizeof owner - 1, 0);
    (void)n;
    throw Error(Exit::data, Message{{}, path_, std::string("another run is writing here (process ") + owner + ")",
                                    "one run a folder", "wait for it, or choose another folder with --out"});
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, pid.data(), pid.size(), 0) < 0)
    throw Error(Exit::data, Message{{}, name, std::string("cannot be written: ") + std::strerror(errno), "", ""});
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
  } else if (fs::exists(path) && !(fs::is_directory(path) && fs::is_empty(path))) {
    throw Error(Exit::usage, Message{{}, "--out " + path, "it exists and is not empty", "a new or empty folder",
                                     state_of(path, nullptr).empty() ? "" : "to go on with the run in it, add --resume"});
  }
  make_folder(path);
  return RunFolder(path, hash);
}

RunFolder RunFolder::resume(const std::string& out, const std::string& experiment_file, const std::string& hash) {
  std::vector<std::string> folders;
  if (!out.empty()) {
    folders.push_back(out);
  } else if (std::error_code error; fs::is_directory(runs_of(experiment_file), error)) {
    for (const auto& entry : fs::directory_iterator(runs_of(experiment_file))) folders.push_back(entry.path().string());
    std::sort(folders.rbegin(), folders.rend());  // names begin with the time: newest first
  }
  std::string seen;
  for (const auto& folder : folders) {
    std::string of;
    const std::string state = state_of(folder, &of);
    if (state.empty()) continue;
    if (of == hash && state != "done") return RunFolder(folder, hash);
    seen += "\n  " + folder + ": " + (of == hash ? "finished" : "of another experiment file (something in it has changed)");
  }
  throw Error(Exit::usage, Message{{}, "--resume", "there is no unfinished run of this experiment" + seen,
                                   "a run that was interrupted, in " + (out.empty() ? runs_of(experiment_file) : out),
                                   "leave --resume out to start a new run"});
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
