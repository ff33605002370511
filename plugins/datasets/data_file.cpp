// SPDX-License-Identifier: MIT
// Reading files whole; see data_file.hpp.
#include "data_file.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace kdhost::plugins {

void refuse(const std::string& path, const std::string& found, const std::string& expected, const std::string& mend) {
  throw DataError(path + ": " + found + "; expected " + expected + ".\n  " + mend);
}

bool file_exists(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0;
}

DataFile::DataFile(std::string path) : path_(std::move(path)) {
  // O_NONBLOCK: opening a pipe that nobody writes to would otherwise wait for ever.
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    const int error = errno;
    const char* mend = error == EACCES  ? "Give yourself the right to read it (chmod u+r)."
                       : error == ELOOP ? "Mend the symbolic links that lead in a circle."
                                        : "Check the path.";
    refuse(path_, std::string("cannot be opened (") + std::strerror(error) + ")", "a readable file", mend);
  }
  struct stat s {};
  const bool regular = ::fstat(descriptor_, &s) == 0 && S_ISREG(s.st_mode);
  if (!regular) {
    ::close(descriptor_);
    refuse(path_, S_ISDIR(s.st_mode) ? "is a folder" : "is a pipe or device", "a regular file",
           "Name the file itself.");
  }
  size_ = static_cast<std::uint64_t>(s.st_size);
}

DataFile::~DataFile() { ::close(descriptor_); }

void DataFile::read(std::uint64_t offset, void* out, std::size_t n) const {
  auto* to = static_cast<std::uint8_t*>(out);
  while (n > 0) {
    const ssize_t got = ::pread(descriptor_, to, n, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      refuse(path_, "byte " + std::to_string(offset) + " cannot be read (" + std::strerror(errno) + ")",
             "readable contents", "Check the disk it lies on.");
    if (got == 0)
      refuse(
          path_,
          "ends at byte " + std::to_string(offset) + " though it had " + std::to_string(size_) + " bytes when opened",
          "a file that does not change while it is read", "Wait until whatever writes it has finished.");
    to += got;
    offset += static_cast<std::uint64_t>(got);
    n -= static_cast<std::size_t>(got);
  }
}

std::string plain_or_gz(const std::string& path) {
  return !file_exists(path) && file_exists(path + ".gz") ? path + ".gz" : path;
}

}  // namespace kdhost::plugins
