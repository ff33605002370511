// SPDX-License-Identifier: MIT
// The write protocol: temporary file beside, fsync, rename, fsync of the folder. Lowest layer.
#include "base/atomic_file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.hpp"

namespace kdhost {
namespace {

constexpr std::string_view kMark = ".tmp-";

[[noreturn]] void refuse(const std::string& path, const std::string& verb, int reason) {
  Message message{.place = {path}, .what = "cannot be " + verb + ": " + std::generic_category().message(reason) + "."};
  if (reason == ENOSPC || reason == EDQUOT) {
    message.mend = "Free some space or choose another folder with --out; what was on disk before is whole.";
  } else if (reason == EACCES || reason == EPERM || reason == EROFS) {
    message.mend = "Allow access or choose another place; what was on disk before is whole.";
  } else if (reason == ENOENT) {
    message.mend = "Check the spelling of the path.";
  }
  throw Error(Exit::data, std::move(message));
}

std::string folder_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? std::string(".") : parent.string();
}

// Calls until the call is not interrupted by a signal.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// umask can only be read by setting it; done once, before threads are likely, and put back at once.
mode_t file_mode() {
  static const mode_t mode = [] {
    const mode_t mask = ::umask(077);
    ::umask(mask);
    return static_cast<mode_t>(0666 & ~mask);
  }();
  return mode;
}

void flush_folder(const std::string& path) {
  const std::string folder = folder_of(path);
  const int descriptor = uninterrupted([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (descriptor < 0) refuse(folder, "opened to flush it", errno);
  const int result = uninterrupted([&] { return ::fsync(descriptor); });
  const int reason = errno;
  ::close(descriptor);
  // Some file systems cannot flush a folder and say EINVAL; nothing better can be done there.
  if (result < 0 && reason != EINVAL) refuse(folder, "flushed to disk", reason);
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  static std::atomic<unsigned> count{0};
  temporary_ = path_ + std::string(kMark) + std::to_string(::getpid()) + "-" + std::to_string(count++);
  descriptor_ = uninterrupted(
      [&] { return ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600); });
  if (descriptor_ < 0) {
    const int reason = errno;
    temporary_.clear();
    refuse(path_, "written", reason);
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto written = uninterrupted([&] { return ::write(descriptor_, bytes.data(), bytes.size()); });
    if (written < 0) refuse(path_, "written", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }

void AtomicFile::close() {
  const int descriptor = std::exchange(descriptor_, -1);
  // After EINTR the descriptor is closed on Linux; calling close again could hit another thread's file.
  if (::close(descriptor) < 0 && errno != EINTR) refuse(path_, "closed", errno);
}

void AtomicFile::commit() {
  if (uninterrupted([&] { return ::fchmod(descriptor_, file_mode()); }) < 0) refuse(path_, "given its mode", errno);
  if (uninterrupted([&] { return ::fsync(descriptor_); }) < 0) refuse(path_, "flushed to disk", errno);
  close();
  if (::rename(temporary_.c_str(), path_.c_str()) < 0) refuse(path_, "renamed into place", errno);
  temporary_.clear();
  flush_folder(path_);
}

void write_file(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

std::string read_file(const std::string& path, std::size_t limit) {
  const int descriptor = uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  if (descriptor < 0) refuse(path, "opened", errno);
  std::string text;
  std::string piece(std::size_t{1} << 16, '\0');
  for (;;) {
    const auto count = uninterrupted([&] { return ::read(descriptor, piece.data(), piece.size()); });
    const int reason = errno;
    if (count <= 0) ::close(descriptor);
    if (count < 0) refuse(path, "read", reason);
    if (count == 0) return text;
    text.append(piece, 0, static_cast<std::size_t>(count));
    if (text.size() > limit) {
      ::close(descriptor);
      throw Error(Exit::data, {.place = {path},
                               .what = "is larger than " + std::to_string(limit) + " bytes.",
                               .expected = "Expected a file of at most that size."});
    }
  }
}

int remove_stale_temporaries(const std::string& folder) {
  int removed = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const std::size_t mark = name.rfind(kMark);
    if (mark == std::string::npos || !entry.is_regular_file(ignored)) continue;
    const char* const first = name.data() + mark + kMark.size();
    const char* const last = name.data() + name.size();
    int process = 0;
    const auto [end, reason] = std::from_chars(first, last, process);
    if (reason != std::errc() || end == last || *end != '-' || process <= 0) continue;
    // Signal 0 only asks whether the process is there; EPERM means yes, under another user.
    if (::kill(process, 0) == 0 || errno == EPERM) continue;
    if (std::filesystem::remove(entry.path(), ignored)) ++removed;
  }
  return removed;
}

}  // namespace kdhost
