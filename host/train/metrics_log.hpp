// SPDX-License-Identifier: MIT
// metrics.jsonl: one JSON object a line, only ever appended to. A checkpoint remembers how long it was, and a resumed
// run cuts it back to that length, so that the log too is that of a run that never stopped.
#pragma once

#include <cstdint>
#include <string>

namespace kdhost {

class MetricsLog {
 public:
  /// Opens or makes the file. Error (data) when it cannot be written.
  explicit MetricsLog(std::string path);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  void add(const std::string& line);
  /// Flushes to the disk and gives the length, for a checkpoint.
  int64_t flush();
  /// Forgets what was written after a checkpoint. Error (data) when the file is shorter than that.
  void cut(int64_t bytes);
  const std::string& path() const { return path_; }

 private:
  void write_out();

  std::string path_;
  std::string waiting_;
  int descriptor_ = -1;
};

}  // namespace kdhost
