// SPDX-License-Identifier: MIT
// The folder of a run: its name, its lock, what is written into it before the first step.
#pragma once

#include <string>
#include <vector>

#include "train/checkpoint.hpp"

namespace kdhost {

/// Where a run stands, as state.json says.
enum class RunState { running, interrupted, failed, done };

class RunFolder {
 public:
  /// A new folder: `out` if given (must be empty or absent: Error (usage)), else runs/<stem of the
  /// experiment>/<time>-<hash>. From then on the run can be resumed.
  static RunFolder create(const std::string& out, const std::string& experiment_file, const std::string& hash);
  /// The newest unfinished run of the experiment with this hash, under `out` itself or runs/<stem>. Error (usage)
  /// without one.
  static RunFolder resume(const std::string& out, const std::string& experiment_file, const std::string& hash);

  RunFolder(RunFolder&&) noexcept;
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// seed-N, or seed-N/baseline; made if absent.
  std::string leg(int64_t seed, bool baseline) const;
  void set_state(RunState state);
  /// Takes back what create() and the start of the run wrote: for a run that was refused before its first step.
  void abandon();

 private:
  RunFolder(std::string path, std::string hash);
  void lock();

  std::string path_, hash_;
  int lock_ = -1;
  bool is_new_ = false;
};

}  // namespace kdhost
