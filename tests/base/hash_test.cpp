// SPDX-License-Identifier: MIT
// Digests: published values, pieces, files.
#include "base/hash.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "base/atomic_file.hpp"
#include "base/error.hpp"

using namespace kdhost;

TEST_CASE("the digest of no bytes is the published XXH3-128 value", "[base]") {
  CHECK(hash_text("").hex() == "99aa06d3014798d86001c324468d497f");
}

TEST_CASE("pieces have the digest of the whole, and every byte counts", "[base]") {
  std::string text(5000, 'a');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  Hasher hasher;
  for (std::size_t at = 0; at < text.size(); at += 77) hasher.add(std::string_view(text).substr(at, 77));
  CHECK(hasher.digest() == hash_text(text));
  const Digest before = hash_text(text);
  text[4321] = static_cast<char>(text[4321] ^ 1);
  CHECK_FALSE(hash_text(text) == before);
  CHECK_FALSE(Hasher().add(std::uint64_t{1}).digest() == Hasher().add(std::uint64_t{2}).digest());
}

TEST_CASE("a file has the digest of its bytes, and a missing one is named", "[base]") {
  const auto path = (std::filesystem::temp_directory_path() / ("kdhost-hash-" + std::to_string(::getpid()))).string();
  const std::string text(700'000, 'z');
  write_file(path, text);
  CHECK(hash_file(path) == hash_text(text));
  std::filesystem::remove(path);
  try {
    hash_file(path);
    FAIL("a missing file was hashed");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::data);
    CHECK(std::string(error.what()) ==
          path + ": cannot be opened: No such file or directory\n  Expected a readable file.");
  }
}
