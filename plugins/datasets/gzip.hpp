// SPDX-License-Identifier: MIT
//
// Reading gzip files from memory to memory (RFC 1951 and 1952). A portable plugin links nothing but the C and C++
// runtime, so the data sets bring this reader instead of a compression library. Used by the IDX reader.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kdhost::plugins {

enum class GzipEnd {
  complete,   ///< every member ended properly: length and checksum agree
  full,       ///< there is more than `capacity` bytes; the first `capacity` have been written
  truncated,  ///< the input ended in the middle
  damaged     ///< the input is not gzip, or an impossible code or a wrong checksum was met
};

struct GzipResult {
  GzipEnd end = GzipEnd::damaged;
  std::size_t produced = 0;  ///< bytes written
  std::size_t consumed = 0;  ///< bytes of input looked at: where the trouble is
  const char* reason = "";   ///< damaged: what is wrong, in a few words
};

/// Unpacks all members of `in` into `out`. Never writes beyond `capacity`, never reads beyond `size`, allocates
/// nothing. A caller that wants only a header passes a small capacity and expects `full`.
GzipResult gunzip(const std::uint8_t* in, std::size_t size, std::uint8_t* out, std::size_t capacity);

/// No gzip file is smaller than its contents divided by this (the densest code of RFC 1951 gives 258 bytes in 2 bits).
inline constexpr std::uint64_t kMostGzipCanShrink = 1032;

}  // namespace kdhost::plugins
