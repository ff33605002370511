// SPDX-License-Identifier: MIT
// XXH3-128 digests of bytes and files: keys of caches, entries of the manifest, the digest of checkpoints. It finds
// damage, it does not resist forgery. Lowest layer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace kdhost {

/// 128 bits in canonical (big-endian) order.
struct Digest {
  std::array<std::uint8_t, 16> bytes{};

  /// 32 lower-case hexadecimal digits.
  std::string hex() const;
  friend bool operator==(const Digest&, const Digest&) = default;
};

/// Digest of bytes that come in pieces; pieces are not told apart, only their concatenation counts.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  Hasher& add(std::span<const std::byte> bytes);
  Hasher& add(std::string_view text);
  /// Eight bytes, little-endian: separates parts whose length would else be ambiguous.
  Hasher& add(std::uint64_t number);
  /// Of everything added so far; more may be added afterwards.
  Digest digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest hash_bytes(std::span<const std::byte> bytes);
Digest hash_text(std::string_view text);
/// Digest of a whole file, read in pieces. Errors: cannot be opened or read -> Error(data) with path and reason.
Digest hash_file(const std::string& path);

}  // namespace kdhost
