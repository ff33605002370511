// SPDX-License-Identifier: MIT
//
// Files as the shipped data sets read them: whole, into memory, after their size and kind have been checked. Every
// refusal says path, what was found, what was expected and how to mend it. Used by the readers of IDX, CIFAR and
// safetensors files.
#pragma once
#include <kdhost/plugin.hpp>

#include <cstring>

namespace kdhost::plugins {

/// Memory that is not filled before it is read into; aligned for every element type.
class Bytes {
 public:
  Bytes() = default;
  explicit Bytes(std::size_t size) : data_(new std::uint8_t[size]), size_(size) {}
  std::uint8_t* data() { return data_.get(); }
  const std::uint8_t* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t size_ = 0;
};

/// Throws DataError: "PATH: FOUND; expected EXPECTED.\n  MEND".
[[noreturn]] void refuse(const std::string& path, const std::string& found, const std::string& expected,
                         const std::string& mend);

/// The mend of a file that is shorter, longer or other than its own header says.
inline constexpr const char* kFetchAgain = "The file is damaged or incomplete: fetch it again.";

bool file_exists(const std::string& path);

/// A regular file open for reading. Refuses folders, devices and pipes, which could block or never end.
class DataFile {
 public:
  explicit DataFile(std::string path);
  ~DataFile();
  DataFile(const DataFile&) = delete;
  DataFile& operator=(const DataFile&) = delete;
  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  /// Reads exactly [offset, offset + n), which must lie in the file.
  void read(std::uint64_t offset, void* out, std::size_t n) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// "path" or, where only that exists, "path.gz".
std::string plain_or_gz(const std::string& path);

}  // namespace kdhost::plugins
