// SPDX-License-Identifier: MIT
#include "train/metrics_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace kdhost {

namespace {
[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(Exit::data, Message{{},
                                  path,
                                  what + ": " + std::strerror(errno) + ".",
                                  "",
                                  "Make room or permit writing there, then go on with --resume."});
}
}  // namespace

MetricsLog::MetricsLog(std::string path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(path_, "cannot be opened for writing");
}

MetricsLog::~MetricsLog() {
  // Lines of an aborted run that no checkpoint knows of: written where possible, for whoever looks for the cause.
  if (!waiting_.empty()) {
    const auto written = ::write(descriptor_, waiting_.data(), waiting_.size());
    (void)written;
  }
  ::close(descriptor_);
}

void MetricsLog::add(const std::string& line) {
  waiting_ += line;
  waiting_ += '\n';
  if (waiting_.size() > (1u << 14)) write_out();
}

void MetricsLog::write_out() {
  std::size_t done = 0;
  while (done < waiting_.size()) {
    const ssize_t n = ::write(descriptor_, waiting_.data() + done, waiting_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      waiting_.erase(0, done);
      fail(path_, "cannot be written");
    }
    done += static_cast<std::size_t>(n);
  }
  waiting_.clear();
}

int64_t MetricsLog::flush() {
  write_out();
  if (::fsync(descriptor_) != 0) fail(path_, "cannot be flushed");
  struct stat s {};
  if (::fstat(descriptor_, &s) != 0) fail(path_, "cannot be asked for its size");
  return s.st_size;
}

void MetricsLog::cut(int64_t bytes) {
  waiting_.clear();
  struct stat s {};
  if (::fstat(descriptor_, &s) != 0) fail(path_, "cannot be asked for its size");
  if (s.st_size < bytes)
    throw Error(Exit::data, Message{{},
                                    path_,
                                    "it has " + std::to_string(s.st_size) + " bytes.",
                                    "Expected at least " + std::to_string(bytes) + ", as the checkpoint says.",
                                    "A part of it was removed: start a new run, without --resume."});
  if (::ftruncate(descriptor_, bytes) != 0) fail(path_, "cannot be cut");
}

}  // namespace kdhost
