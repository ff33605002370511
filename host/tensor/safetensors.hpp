// SPDX-License-Identifier: MIT
// Tensors in files: safetensors, read and written by ourselves. Weights, checkpoints, stored teacher outputs and golden
// values use it. A reader maps the file, checks everything before it is used and executes nothing.
//
// Layout: 8 bytes little-endian length of the header, the header (JSON), then the tensors' bytes without gaps.
// With a digest, the last tensor is `kdhost.digest` U8[16]: the XXH3-128 (canonical byte order) of every byte before
// its own 16, header included.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/handle.hpp"

namespace kdhost {

inline constexpr std::string_view kDigestName = "kdhost.digest";
/// Its size: the file's last bytes.
inline constexpr int64_t kDigestBytes = 16;
/// A longer header is refused; the same limit as in the reference reader.
inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;

using Metadata = std::map<std::string, std::string>;

struct StoredTensor {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> sizes;
  uint64_t begin = 0, end = 0;  ///< bytes after the header
};

enum class DigestRule {
  if_present,  ///< files of others have none; where one is, it must be right
  required     ///< our own checkpoints and caches
};

class SafetensorsFile {
 public:
  /// Maps and checks the whole file. Error (data), with path, tensor, what was found and what was expected.
  explicit SafetensorsFile(const std::filesystem::path& path, DigestRule digest = DigestRule::if_present);

  const std::filesystem::path& path() const { return path_; }
  /// In the order of their bytes; the digest is not among them.
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  const Metadata& metadata() const { return metadata_; }
  /// Null where the file has no tensor of that name.
  const StoredTensor* find(std::string_view name) const;
  /// A CPU tensor over the mapped bytes, which it keeps alive; writing to it never reaches the file. Error (data) when
  /// the name is absent, with the nearest one.
  at::Tensor tensor(std::string_view name) const;
  at::Tensor tensor(const StoredTensor& stored) const;

 private:
  class Mapping;

  void check_digest(DigestRule rule);
  void check_flags() const;

  std::filesystem::path path_;
  std::shared_ptr<Mapping> mapping_;
  uint64_t data_start_ = 0;
  std::vector<StoredTensor> tensors_;
  Metadata metadata_;
};

struct NamedTensor {
  std::string name;
  at::Tensor value;
};

/// Writes a file atomically, tensor by tensor, never holding a second copy of everything. Any device, any strides
/// (stored contiguous). Larger elements come first so that each tensor is aligned, otherwise the order given is kept:
/// the same content makes the same bytes. Error (data) when it cannot be written, Error (internal) for two tensors of
/// one name.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata, bool with_digest);

}  // namespace kdhost
