// SPDX-License-Identifier: MIT
// XXH3-128 from the xxHash library, compiled into this file alone. Lowest layer.
#include "base/hash.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <vector>

#include <xxhash.h>

#include "base/error.hpp"

namespace kdhost {
namespace {

// Bytes read at a time: large enough to hide the calls, small enough to stay in the second-level cache.
constexpr std::size_t kPiece = std::size_t{1} << 18;

Digest canonical(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  Digest digest;
  std::memcpy(digest.bytes.data(), bytes.digest, digest.bytes.size());
  return digest;
}

[[noreturn]] void refuse(const std::string& path, const char* verb, int reason) {
  throw Error(Exit::data, {.place = {path},
                           .what = std::string("cannot be ") + verb + ": " + std::generic_category().message(reason),
                           .expected = "Expected a readable file."});
}

}  // namespace

std::string Digest::hex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

struct Hasher::State {
  XXH3_state_t value;
};

// XXH3_state_t asks for 64-byte alignment, which new honours for over-aligned types since C++17.
Hasher::Hasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->value); }
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::add(std::span<const std::byte> bytes) {
  if (!bytes.empty()) XXH3_128bits_update(&state_->value, bytes.data(), bytes.size());
  return *this;
}

Hasher& Hasher::add(std::string_view text) { return add(std::as_bytes(std::span(text.data(), text.size()))); }

Hasher& Hasher::add(std::uint64_t number) {
  std::array<std::uint8_t, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return add(std::as_bytes(std::span(bytes)));
}

Digest Hasher::digest() const { return canonical(XXH3_128bits_digest(&state_->value)); }

Digest hash_bytes(std::span<const std::byte> bytes) { return canonical(XXH3_128bits(bytes.data(), bytes.size())); }

Digest hash_text(std::string_view text) { return canonical(XXH3_128bits(text.data(), text.size())); }

Digest hash_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) refuse(path, "opened", errno);
  Hasher hasher;
  std::vector<std::byte> piece(kPiece);
  for (;;) {
    errno = 0;
    const std::size_t count = std::fread(piece.data(), 1, piece.size(), file.get());
    if (count == 0 && std::ferror(file.get()) != 0) refuse(path, "read", errno);
    if (count == 0) return hasher.digest();
    hasher.add(std::span(piece).first(count));
  }
}

}  // namespace kdhost
