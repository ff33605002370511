// SPDX-License-Identifier: MIT
// Reading IDX files; see idx_file.hpp.
#include "idx_file.hpp"

#include "gzip.hpp"

#include <algorithm>

namespace kdhost::plugins {
namespace {

constexpr std::size_t kMostRank = 8;
constexpr std::size_t kLongestHeader = 4 + 4 * kMostRank;

std::string hex(const std::uint8_t* p, std::size_t n) {
  std::string text = "0x";
  for (std::size_t i = 0; i < n; ++i) {
    text += "0123456789abcdef"[p[i] >> 4];
    text += "0123456789abcdef"[p[i] & 15];
  }
  return text;
}

bool known_type(std::uint8_t type, Dtype& dtype) {
  switch (type) {
    case 0x08:
      dtype = Dtype::u8;
      return true;
    case 0x09:
      dtype = Dtype::i8;
      return true;
    case 0x0b:
      dtype = Dtype::i16;
      return true;
    case 0x0c:
      dtype = Dtype::i32;
      return true;
    case 0x0d:
      dtype = Dtype::f32;
      return true;
    case 0x0e:
      dtype = Dtype::f64;
      return true;
    default:
      return false;
  }
}

struct Header {
  Dtype dtype = Dtype::u8;
  Shape sizes;
  std::size_t bytes = 0;       // of the header
  std::uint64_t contents = 0;  // bytes that follow
};

std::string magic_of(const IdxWanted& wanted) {
  if (wanted.type < 0 || wanted.rank < 0)
    return "two zero bytes, an element type (0x08, 0x09, 0x0b to 0x0e) and a rank of 1 to 8";
  const std::uint8_t magic[] = {0, 0, static_cast<std::uint8_t>(wanted.type), static_cast<std::uint8_t>(wanted.rank)};
  return "0x" + hex(magic, 4).substr(2) + " (IDX, " + wanted.what + ")";
}

Header parse(const std::string& path, const std::uint8_t* p, std::size_t n, const IdxWanted& wanted) {
  if (n < 4)
    refuse(path, "ends after " + std::to_string(n) + " bytes", "an IDX header of at least 8 bytes", kFetchAgain);
  Header h;
  const bool gzip = p[0] == 0x1f && p[1] == 0x8b;
  if (p[0] != 0 || p[1] != 0 || !known_type(p[2], h.dtype) || p[3] < 1 || p[3] > kMostRank ||
      (wanted.type >= 0 && p[2] != wanted.type) || (wanted.rank >= 0 && p[3] != wanted.rank))
    refuse(path, "starts with " + hex(p, 4), magic_of(wanted),
           gzip ? "The file is gzipped: let its name end with .gz."
                : std::string("Name the file that holds the ") + wanted.what + ", or fetch it again.");
  const std::size_t rank = p[3];
  h.bytes = 4 + 4 * rank;
  if (n < h.bytes)
    refuse(path, "ends at byte " + std::to_string(n) + ", inside its header",
           std::to_string(h.bytes) + " bytes of header", kFetchAgain);
  h.contents = width_of(h.dtype);
  for (std::size_t d = 0; d < rank; ++d) {
    const std::uint8_t* q = p + 4 + 4 * d;
    const std::uint64_t size = std::uint64_t{q[0]} << 24 | std::uint64_t{q[1]} << 16 | std::uint64_t{q[2]} << 8 | q[3];
    if (size == 0)
      refuse(path, "dimension " + std::to_string(d) + " is 0", "at least one sample with at least one element",
             kFetchAgain);
    h.sizes.push_back(static_cast<std::int64_t>(size));
    // Far above any file, so that the product cannot overflow.
    if (h.contents > (std::uint64_t{1} << 48) / size)
      refuse(path, "its header announces a shape of " + to_string(h.sizes) + " and more", "less than 2^48 bytes",
             kFetchAgain);
    h.contents *= size;
  }
  return h;
}

std::string announced(const Header& h) {
  return std::to_string(h.bytes + h.contents) + " bytes, as its header says (" + to_string(h.sizes) + " of " +
         name_of(h.dtype) + ")";
}

Header read_plain(const DataFile& file, const IdxWanted& wanted, Bytes& whole) {
  std::uint8_t head[kLongestHeader];
  const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), kLongestHeader));
  file.read(0, head, n);
  const Header h = parse(file.path(), head, n, wanted);
  if (file.size() != h.bytes + h.contents)
    refuse(file.path(), "has " + std::to_string(file.size()) + " bytes", announced(h), kFetchAgain);
  whole = Bytes(static_cast<std::size_t>(file.size()));
  file.read(0, whole.data(), whole.size());
  return h;
}

[[noreturn]] void refuse_gzip(const std::string& path, const GzipResult& r, std::size_t size,
                              const std::string& expected) {
  if (r.end == GzipEnd::truncated)
    refuse(path,
           "the gzip stream breaks off after " + std::to_string(size) + " bytes (" + std::to_string(r.produced) +
               " unpacked)",
           expected, kFetchAgain);
  refuse(path, "the gzip stream is damaged near byte " + std::to_string(r.consumed) + " (" + r.reason + ")", expected,
         kFetchAgain);
}

Header read_gzip(const DataFile& file, const IdxWanted& wanted, Bytes& whole) {
  Bytes packed(static_cast<std::size_t>(file.size()));
  file.read(0, packed.data(), packed.size());
  if (packed.size() < 2 || packed.data()[0] != 0x1f || packed.data()[1] != 0x8b)
    refuse(
        file.path(),
        packed.size() < 2 ? "has " + std::to_string(packed.size()) + " bytes" : "starts with " + hex(packed.data(), 2),
        "0x1f8b (gzip)", "If the file is not compressed, take .gz off its name; else fetch it again.");
  std::uint8_t head[kLongestHeader];
  const GzipResult peeked = gunzip(packed.data(), packed.size(), head, kLongestHeader);
  if (peeked.end != GzipEnd::full && peeked.end != GzipEnd::complete)
    refuse_gzip(file.path(), peeked, packed.size(), "a whole IDX file");
  const Header h = parse(file.path(), head, peeked.produced, wanted);
  // Before anything is allocated: a header cannot announce more than the file could ever unpack to.
  if (h.bytes + h.contents > kMostGzipCanShrink * packed.size())
    refuse(file.path(), "has " + std::to_string(packed.size()) + " bytes, which can never unpack to so much",
           announced(h), kFetchAgain);
  whole = Bytes(static_cast<std::size_t>(h.bytes + h.contents));
  const GzipResult r = gunzip(packed.data(), packed.size(), whole.data(), whole.size());
  if (r.end == GzipEnd::full)
    refuse(file.path(), "unpacks to more than " + std::to_string(whole.size()) + " bytes", announced(h), kFetchAgain);
  if (r.end != GzipEnd::complete) refuse_gzip(file.path(), r, packed.size(), announced(h));
  if (r.produced != whole.size())
    refuse(file.path(), "unpacks to " + std::to_string(r.produced) + " bytes", announced(h), kFetchAgain);
  return h;
}

// Elements of more than one byte: turned round, and moved to the front of fresh memory so that they are aligned.
Column native_order(const Bytes& whole, const Header& h) {
  const std::size_t width = width_of(h.dtype);
  Column c{Bytes(static_cast<std::size_t>(h.contents)), 0};
  const std::uint8_t* from = whole.data() + h.bytes;
  for (std::size_t i = 0; i < c.memory.size(); i += width)
    std::reverse_copy(from + i, from + i + width, c.memory.data() + i);
  return c;
}

template <class T>
void widen(const IdxArray& labels, std::int64_t* to) {
  const std::uint8_t* from = labels.column.data();
  for (std::int64_t i = 0; i < labels.samples(); ++i) {
    T v;
    std::memcpy(&v, from + static_cast<std::size_t>(i) * sizeof v, sizeof v);
    to[i] = static_cast<std::int64_t>(v);
  }
}

}  // namespace

void must_pair(const IdxArray& input, const IdxArray& labels) {
  if (input.samples() == labels.samples()) return;
  refuse(labels.path, "has " + std::to_string(labels.samples()) + " labels",
         std::to_string(input.samples()) + ", one for each sample of " + input.path,
         "Both files must come from the same split of the same data set.");
}

IdxArray read_idx(const std::string& path, const IdxWanted& wanted) {
  const DataFile file(path);
  const bool gzip = path.size() > 3 && path.compare(path.size() - 3, 3, ".gz") == 0;
  IdxArray array;
  array.path = path;
  Bytes whole;
  Header h = gzip ? read_gzip(file, wanted, whole) : read_plain(file, wanted, whole);
  array.dtype = h.dtype;
  array.column = width_of(h.dtype) > 1 ? native_order(whole, h) : Column{std::move(whole), h.bytes};
  array.sizes = std::move(h.sizes);
  return array;
}

Column labels_of(const IdxArray& labels, std::int64_t classes) {
  Column c{Bytes(static_cast<std::size_t>(labels.samples()) * sizeof(std::int64_t)), 0};
  auto* to = reinterpret_cast<std::int64_t*>(c.memory.data());
  switch (labels.dtype) {
    case Dtype::u8:
      widen<std::uint8_t>(labels, to);
      break;
    case Dtype::i8:
      widen<std::int8_t>(labels, to);
      break;
    case Dtype::i16:
      widen<std::int16_t>(labels, to);
      break;
    case Dtype::i32:
      widen<std::int32_t>(labels, to);
      break;
    default:
      refuse(labels.path, std::string("holds labels of ") + name_of(labels.dtype),
             "whole numbers (uint8, int8, int16, int32)", "Name the file that holds class numbers.");
  }
  for (std::int64_t i = 0; i < labels.samples(); ++i)
    if (to[i] < 0 || (classes > 0 && to[i] >= classes))
      refuse(labels.path, "record " + std::to_string(i) + " has label " + std::to_string(to[i]),
             classes > 0 ? "0.." + std::to_string(classes - 1) : "0 or more",
             "Check that the file belongs to this data set, or fetch it again.");
  return c;
}

}  // namespace kdhost::plugins
