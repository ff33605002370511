// SPDX-License-Identifier: MIT
// Mapping and checking a safetensors file; see safetensors.hpp.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"
#include "tensor/aten.hpp"
#include "tensor/safetensors.hpp"
#include "tensor/safetensors_header.hpp"

namespace kdhost {
namespace {

constexpr uint64_t kLengthBytes = 8;

std::string reason() { return std::strerror(errno); }

uint64_t little_endian(const std::byte* bytes) {
  uint64_t value = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
  return value;
}

}  // namespace

// The file's bytes, private to this process: writing to them never reaches the file.
class SafetensorsFile::Mapping {
 public:
  explicit Mapping(const std::string& path) {
    // Non-blocking, so that a named pipe is refused instead of waited for.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
      refuse_file(path, "cannot be opened: " + reason() + ".", "Expected a readable safetensors file.");
    struct stat status {};
    const bool known = ::fstat(descriptor, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
      ::close(descriptor);
      refuse_file(path, "is not a regular file.", "Expected a safetensors file.");
    }
    size_ = static_cast<uint64_t>(status.st_size);
    if (size_ < kLengthBytes) {
      ::close(descriptor);
      refuse_file(path, "has " + std::to_string(size_) + " bytes.",
                  "Expected a safetensors file, which begins with 8 bytes for the length of its header.",
                  "The file is cut short or of another format.");
    }
    void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
    const std::string why = memory == MAP_FAILED ? reason() : std::string();
    ::close(descriptor);
    if (memory == MAP_FAILED)
      refuse_file(path, "cannot be mapped into memory: " + why + ".", "Expected a readable file.");
    bytes_ = static_cast<std::byte*>(memory);
  }
  ~Mapping() { ::munmap(bytes_, size_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::byte* bytes() const { return bytes_; }
  uint64_t size() const { return size_; }

 private:
  std::byte* bytes_ = nullptr;
  uint64_t size_ = 0;
};

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path, DigestRule rule)
    : path_(path), mapping_(std::make_shared<Mapping>(path.string())) {
  const std::string where = path.string();
  const std::byte* bytes = mapping_->bytes();
  const uint64_t rest = mapping_->size() - kLengthBytes;
  const uint64_t header_bytes = little_endian(bytes);
  if (header_bytes > kMaxHeaderBytes)
    refuse_file(where, "claims a header of " + std::to_string(header_bytes) + " bytes.",
                "Expected at most " + std::to_string(kMaxHeaderBytes) + ".",
                "The file is damaged or not a safetensors file.");
  if (header_bytes > rest)
    refuse_file(
        where,
        "claims a header of " + std::to_string(header_bytes) + " bytes, but only " + std::to_string(rest) + " follow.",
        "Expected the whole header.", "The file is cut short or not a safetensors file.");
  data_start_ = kLengthBytes + header_bytes;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + kLengthBytes, header_bytes);
  SafetensorsHeader header = parse_header(where, text, rest - header_bytes);
  metadata_ = std::move(header.metadata);
  tensors_ = std::move(header.tensors);
  check_digest(rule);
  check_flags();
}

void SafetensorsFile::check_digest(DigestRule rule) {
  const std::string where = path_.string();
  const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                  [](const StoredTensor& stored) { return stored.name == kDigestName; });
  if (found == tensors_.end()) {
    if (rule == DigestRule::required)
      refuse_file(where, "has no tensor '" + std::string(kDigestName) + "'.",
                  "Expected a file that kdhost wrote, with a digest over all its bytes.",
                  "The file is damaged or was written by another program.");
    return;
  }
  if (found->dtype != at::kByte || found->sizes != std::vector<int64_t>{kDigestBytes} || found + 1 != tensors_.end())
    refuse_file(where,
                "tensor '" + std::string(kDigestName) + "' is " + dtype_name(found->dtype) + " " +
                    shape_text(found->sizes) + (found + 1 != tensors_.end() ? " and not the last tensor." : "."),
                "Expected uint8 [16] as the last tensor.", "The file is damaged.");
  const std::size_t covered = mapping_->size() - static_cast<std::size_t>(kDigestBytes);
  const Digest computed = hash_bytes({mapping_->bytes(), covered});
  Digest stored;
  std::memcpy(stored.bytes.data(), mapping_->bytes() + covered, static_cast<std::size_t>(kDigestBytes));
  if (computed != stored)
    refuse_file(where, "is damaged: its bytes have digest " + computed.hex() + ".",
                "Expected " + stored.hex() + ", which stands at its end.",
                "Use an older checkpoint or make the file anew.");
  tensors_.pop_back();
}

// A byte other than 0 and 1 in a bool tensor would be undefined behaviour in every operator that reads it.
void SafetensorsFile::check_flags() const {
  for (const StoredTensor& stored : tensors_) {
    if (stored.dtype != at::kBool) continue;
    const std::byte* first = mapping_->bytes() + data_start_ + stored.begin;
    const std::byte* last = mapping_->bytes() + data_start_ + stored.end;
    const std::byte* wrong = std::find_if(first, last, [](std::byte value) { return std::to_integer<int>(value) > 1; });
    if (wrong != last)
      refuse_file(path_.string(),
                  "tensor " + quoted(stored.name) + " of dtype bool has the byte " +
                      std::to_string(std::to_integer<int>(*wrong)) + " at element " + std::to_string(wrong - first) +
                      ".",
                  "Expected 0 or 1.", "The file is damaged.");
  }
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found =
      std::find_if(tensors_.begin(), tensors_.end(), [&](const StoredTensor& stored) { return stored.name == name; });
  return found != tensors_.end() ? &*found : nullptr;
}

at::Tensor SafetensorsFile::tensor(std::string_view name) const {
  if (const StoredTensor* stored = find(name)) return tensor(*stored);
  std::vector<std::string> names;
  for (const StoredTensor& stored : tensors_) names.push_back(stored.name);
  std::string listed = names.size() <= 20 ? join(names) : join({names.begin(), names.begin() + 20}) + ", ...";
  refuse_file(path_.string(), "has no tensor " + quoted(std::string(name)) + ".",
              names.empty() ? "The file holds no tensors." : "It holds " + listed + ".", did_you_mean(name, names));
}

at::Tensor SafetensorsFile::tensor(const StoredTensor& stored) const {
  std::byte* first = mapping_->bytes() + data_start_ + stored.begin;
  const auto options = at::TensorOptions(stored.dtype);
  if (stored.begin == stored.end) return at::empty(stored.sizes, options);
  if (reinterpret_cast<std::uintptr_t>(first) % c10::elementSize(stored.dtype) != 0) {
    at::Tensor copy = at::empty(stored.sizes, options);
    std::memcpy(copy.data_ptr(), first, stored.end - stored.begin);
    return copy;
  }
  return at::from_blob(
      first, stored.sizes, [mapping = mapping_](void*) {}, options);
}

}  // namespace kdhost
