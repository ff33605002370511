// SPDX-License-Identifier: MIT
// The gzip reader; see gzip.hpp. Codes are decoded with one table look-up of kFast bits, longer ones by the canonical
// walk over code lengths. Sections named below are those of RFC 1951 (deflate) and RFC 1952 (gzip).
#include "gzip.hpp"

#include <array>
#include <cstring>

namespace kdhost::plugins {
namespace {

struct Stop {
  GzipEnd end;
  const char* reason;
};

[[noreturn]] void damaged(const char* reason) { throw Stop{GzipEnd::damaged, reason}; }

// CRC-32 of RFC 1952 section 8, eight bytes at a time: row k moves a byte k places further through the register.
struct Crc {
  std::array<std::array<std::uint32_t, 256>, 8> rows{};
  constexpr Crc() {
    for (std::uint32_t n = 0; n < 256; ++n) {
      std::uint32_t c = n;
      for (int k = 0; k < 8; ++k) c = (c & 1u) ? 0xedb88320u ^ (c >> 1) : c >> 1;
      rows[0][n] = c;
    }
    for (std::size_t k = 1; k < 8; ++k)
      for (std::size_t n = 0; n < 256; ++n) rows[k][n] = (rows[k - 1][n] >> 8) ^ rows[0][rows[k - 1][n] & 0xffu];
  }
};
constexpr Crc kCrc;

std::uint32_t crc32(const std::uint8_t* p, std::size_t n) {
  std::uint32_t c = 0xffffffffu;
  const auto& r = kCrc.rows;
  for (; n >= 8; n -= 8, p += 8) {
    const std::uint32_t low = c ^ (static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
                                   static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24);
    c = r[7][low & 0xffu] ^ r[6][(low >> 8) & 0xffu] ^ r[5][(low >> 16) & 0xffu] ^ r[4][low >> 24] ^ r[3][p[4]] ^
        r[2][p[5]] ^ r[1][p[6]] ^ r[0][p[7]];
  }
  for (; n > 0; --n) c = (c >> 8) ^ r[0][(c ^ *p++) & 0xffu];
  return ~c;
}

// Bits from the input, least significant first.
class Bits {
 public:
  Bits(const std::uint8_t* in, std::size_t size) : begin_(in), p_(in), end_(in + size) {}

  /// At least 56 bits in the window, as far as the input reaches; zeros after its end.
  void fill() {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    // Eight bytes at once; those that do not fit whole are read again next time, at the same place in the window.
    if (end_ - p_ >= 8) {
      std::uint64_t next;
      std::memcpy(&next, p_, sizeof next);
      window_ |= next << count_;
      p_ += (63 - count_) / 8;
      count_ |= 56;
      return;
    }
#endif
    while (count_ <= 55 && p_ < end_) {
      window_ |= static_cast<std::uint64_t>(*p_++) << count_;
      count_ += 8;
    }
  }
  std::uint32_t peek(unsigned n) const { return static_cast<std::uint32_t>(window_ & ((std::uint64_t{1} << n) - 1)); }
  void drop(unsigned n) {
    if (n > count_) throw Stop{GzipEnd::truncated, ""};
    window_ >>= n;
    count_ -= n;
  }
  std::uint32_t take(unsigned n) {
    fill();
    const std::uint32_t v = peek(n);
    drop(n);
    return v;
  }
  /// To the next whole byte.
  void align() { drop(count_ % 8); }
  void bytes(std::uint8_t* out, std::size_t n) {
    for (; n > 0 && count_ >= 8; --n) {
      *out++ = static_cast<std::uint8_t>(peek(8));
      drop(8);
    }
    if (n == 0) return;
    window_ = 0;  // bits beyond the count belong to bytes that are copied here
    if (static_cast<std::size_t>(end_ - p_) < n) {
      p_ = end_;
      throw Stop{GzipEnd::truncated, ""};
    }
    std::memcpy(out, p_, n);
    p_ += n;
  }
  bool at_end() const { return p_ == end_ && count_ == 0; }
  std::size_t consumed() const { return static_cast<std::size_t>(p_ - begin_) - count_ / 8; }

 private:
  const std::uint8_t *begin_, *p_, *end_;
  std::uint64_t window_ = 0;
  unsigned count_ = 0;
};

constexpr unsigned kLongest = 15;  // bits of the longest code
constexpr unsigned kFast = 10;

// A prefix code (section 3.2.2).
class Code {
 public:
  /// Refuses more codes than lengths allow, and fewer except where a single code is all there is (section 3.2.7).
  void build(const std::uint8_t* lengths, unsigned n) {
    count_.fill(0);
    for (unsigned i = 0; i < n; ++i) ++count_[lengths[i]];
    count_[0] = 0;
    std::array<std::uint16_t, kLongest + 2> next{}, first_code{};
    int left = 1;
    unsigned used = 0;
    std::uint16_t code = 0;
    for (unsigned len = 1; len <= kLongest; ++len) {
      left = left * 2 - count_[len];
      if (left < 0) damaged("more codes than fit");
      code = static_cast<std::uint16_t>((code + count_[len - 1]) << 1);
      first_code[len] = code;
      next[len + 1] = static_cast<std::uint16_t>(next[len] + count_[len]);
      used += count_[len];
    }
    if (left > 0 && !(used == 0 || (used == 1 && count_[1] == 1))) damaged("an incomplete set of codes");
    fast_.fill(0);
    for (unsigned symbol = 0; symbol < n; ++symbol) {
      const unsigned len = lengths[symbol];
      if (len == 0) continue;
      symbols_[next[len]++] = static_cast<std::uint16_t>(symbol);
      const unsigned bits = first_code[len]++;
      if (len > kFast) continue;
      unsigned reversed = 0;  // codes are packed from their most significant bit, everything else from the least
      for (unsigned k = 0; k < len; ++k) reversed |= ((bits >> k) & 1u) << (len - 1 - k);
      for (unsigned at = reversed; at < (1u << kFast); at += 1u << len)
        fast_[at] = static_cast<std::uint16_t>(symbol << 4 | len);
    }
  }

  /// The next symbol; the window must be filled.
  unsigned decode(Bits& bits) const {
    const std::uint16_t entry = fast_[bits.peek(kFast)];
    if (entry != 0) {
      bits.drop(entry & 15u);
      return entry >> 4;
    }
    const std::uint32_t window = bits.peek(kLongest);
    int code = 0, first = 0, index = 0;
    for (unsigned len = 1; len <= kLongest; ++len) {
      code |= static_cast<int>((window >> (len - 1)) & 1u);
      const int count = count_[len];
      if (code - count < first) {
        bits.drop(len);
        return symbols_[static_cast<std::size_t>(index + code - first)];
      }
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    bits.drop(kLongest);  // past the end of the input this says "truncated", which it then is
    damaged("a code that is not defined");
  }

 private:
  std::array<std::uint16_t, kLongest + 1> count_{};
  std::array<std::uint16_t, 288> symbols_{};
  std::array<std::uint16_t, 1u << kFast> fast_{};  // symbol * 16 + length; 0: longer than kFast bits, or not a code
};

// Section 3.2.5.
constexpr std::uint16_t kLengthBase[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                         31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr std::uint8_t kLengthExtra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                         2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr std::uint16_t kDistanceBase[] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                           33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                           1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr std::uint8_t kDistanceExtra[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                           6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

// The unpacked bytes; the copies that deflate asks for reach back into them, never beyond the start of the member.
struct Output {
  std::uint8_t* data;
  std::size_t capacity;
  std::size_t size = 0;
  std::size_t member = 0;  // where the present member began

  void put(std::uint8_t byte) {
    if (size == capacity) throw Stop{GzipEnd::full, ""};
    data[size++] = byte;
  }
  void copy(std::size_t distance, std::size_t length) {
    if (distance > size - member) damaged("a reference to before the beginning");
    const std::size_t fits = length < capacity - size ? length : capacity - size;
    const std::uint8_t* from = data + size - distance;
    std::uint8_t* to = data + size;
    if (distance >= fits) {
      std::memcpy(to, from, fits);
    } else {
      for (std::size_t i = 0; i < fits; ++i) to[i] = from[i];  // overlapping on purpose: repeats a pattern
    }
    size += fits;
    if (fits < length) throw Stop{GzipEnd::full, ""};
  }
};

void stored_block(Bits& bits, Output& out) {  // section 3.2.4
  bits.align();
  const std::uint32_t length = bits.take(16), inverse = bits.take(16);
  if (length != (~inverse & 0xffffu)) damaged("a stored block whose length contradicts itself");
  const std::size_t fits = length < out.capacity - out.size ? length : out.capacity - out.size;
  bits.bytes(out.data + out.size, fits);
  out.size += fits;
  if (fits < length) throw Stop{GzipEnd::full, ""};
}

void coded_block(Bits& bits, Output& out, const Code& literals, const Code& distances) {
  for (;;) {
    bits.fill();
    const unsigned symbol = literals.decode(bits);
    if (symbol < 256) {
      out.put(static_cast<std::uint8_t>(symbol));
      continue;
    }
    if (symbol == 256) return;
    if (symbol > 285) damaged("a length that is not defined");
    // The window holds at least 56 bits, or all that is left: enough for 15 + 5 + 15 + 13.
    const unsigned l = symbol - 257;
    const std::size_t length = kLengthBase[l] + bits.peek(kLengthExtra[l]);
    bits.drop(kLengthExtra[l]);
    const unsigned d = distances.decode(bits);
    if (d > 29) damaged("a distance that is not defined");
    const std::size_t distance = kDistanceBase[d] + bits.peek(kDistanceExtra[d]);
    bits.drop(kDistanceExtra[d]);
    out.copy(distance, length);
  }
}

void fixed_codes(Code& literals, Code& distances) {  // section 3.2.6
  std::array<std::uint8_t, 288> lengths{};
  for (unsigned i = 0; i < 288; ++i)
    lengths[i] = static_cast<std::uint8_t>(i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8);
  literals.build(lengths.data(), 288);
  lengths.fill(5);
  distances.build(lengths.data(), 32);  // the last two never occur, but belong to the code
}

void described_codes(Bits& bits, Code& literals, Code& distances) {  // section 3.2.7
  const unsigned n_literals = bits.take(5) + 257, n_distances = bits.take(5) + 1, n_lengths = bits.take(4) + 4;
  if (n_literals > 286 || n_distances > 30) damaged("more codes than there are symbols");
  constexpr std::uint8_t kOrder[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  std::array<std::uint8_t, 19> code_lengths{};
  for (unsigned i = 0; i < n_lengths; ++i) code_lengths[kOrder[i]] = static_cast<std::uint8_t>(bits.take(3));
  literals.build(code_lengths.data(), 19);  // borrowed for the lengths; rebuilt below
  std::array<std::uint8_t, 286 + 30> lengths{};
  const unsigned total = n_literals + n_distances;
  for (unsigned i = 0; i < total;) {
    bits.fill();
    const unsigned symbol = literals.decode(bits);
    if (symbol < 16) {
      lengths[i++] = static_cast<std::uint8_t>(symbol);
      continue;
    }
    if (symbol == 16 && i == 0) damaged("a repeated length without one before it");
    const std::uint8_t value = symbol == 16 ? lengths[i - 1] : std::uint8_t{0};
    const unsigned times = symbol == 16 ? 3 + bits.take(2) : symbol == 17 ? 3 + bits.take(3) : 11 + bits.take(7);
    if (i + times > total) damaged("more code lengths than announced");
    for (unsigned k = 0; k < times; ++k) lengths[i++] = value;
  }
  if (lengths[256] == 0) damaged("a block without an end");
  literals.build(lengths.data(), n_literals);
  distances.build(lengths.data() + n_literals, n_distances);
}

void member_header(Bits& bits) {  // RFC 1952, section 2.3
  if (bits.take(8) != 0x1f || bits.take(8) != 0x8b) damaged("no gzip header");
  if (bits.take(8) != 8) damaged("a compression method other than deflate");
  const std::uint32_t flags = bits.take(8);
  if ((flags & 0xe0u) != 0) damaged("reserved flags in the gzip header");
  for (int i = 0; i < 6; ++i) bits.take(8);  // time, extra flags, operating system
  if ((flags & 4u) != 0)
    for (std::uint32_t n = bits.take(16); n > 0; --n) bits.take(8);
  for (const std::uint32_t text : {8u, 16u})  // name, comment
    if ((flags & text) != 0)
      while (bits.take(8) != 0) {
      }
  if ((flags & 2u) != 0) bits.take(16);
}

void member(Bits& bits, Output& out, Code& literals, Code& distances) {
  member_header(bits);
  out.member = out.size;
  bool last = false;
  while (!last) {
    last = bits.take(1) != 0;
    const std::uint32_t type = bits.take(2);
    if (type == 0) {
      stored_block(bits, out);
    } else if (type == 3) {
      damaged("a block of no known type");
    } else {
      type == 1 ? fixed_codes(literals, distances) : described_codes(bits, literals, distances);
      coded_block(bits, out, literals, distances);
    }
  }
  bits.align();
  const std::uint32_t sum = bits.take(32), length = bits.take(32);
  const std::size_t size = out.size - out.member;
  if (length != static_cast<std::uint32_t>(size)) damaged("a length that differs from the one recorded");
  if (sum != crc32(out.data + out.member, size)) damaged("a checksum that differs from the one recorded");
}

}  // namespace

GzipResult gunzip(const std::uint8_t* in, std::size_t size, std::uint8_t* out, std::size_t capacity) {
  Bits bits(in, size);
  Output output{out, capacity};
  Code literals, distances;
  try {
    do member(bits, output, literals, distances);
    while (!bits.at_end());
  } catch (const Stop& stop) {
    return {stop.end, output.size, bits.consumed(), stop.reason};
  }
  return {GzipEnd::complete, output.size, bits.consumed(), ""};
}

}  // namespace kdhost::plugins
