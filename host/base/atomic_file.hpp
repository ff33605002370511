// SPDX-License-Identifier: MIT
// Files that are whole or absent: written beside their place under a temporary name, flushed to the disk, renamed,
// and the folder flushed too. Every file of a run folder is written through this. Lowest layer.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace kdhost {

/// One file being written. Until commit() returns, an older file at `path` stays as it is; without commit() the
/// temporary file is removed.
/// Errors of every call: Error(data) naming path and reason (disk full, no permission, no such folder).
class AtomicFile {
 public:
  /// Opens "PATH.tmp-PID-N" beside `path`, mode 0600 until it is whole. The folder must exist.
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Flushes, gives the file the permissions the umask allows, renames it into place, flushes the folder.
  void commit();

  const std::string& path() const { return path_; }

 private:
  void close();

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

/// A whole file at once.
void write_file(const std::string& path, std::string_view text);

/// The text of a file. Errors: cannot be read, or larger than `limit` bytes -> Error(data).
std::string read_file(const std::string& path, std::size_t limit = std::size_t{1} << 30);

/// Removes temporary files that killed processes left in `folder`; those of living processes stay. Returns how many
/// were removed. A folder that does not exist holds none.
int remove_stale_temporaries(const std::string& folder);

}  // namespace kdhost
