// SPDX-License-Identifier: MIT
// The gzip reader against the gzip program, and against cut, changed and made-up streams.
#include "gzip.hpp"

#include <catch2/catch.hpp>

#include <random>

#include "plugins/datasets/made_files.hpp"

using namespace kdhost::test;
using kdhost::plugins::gunzip;
using kdhost::plugins::GzipEnd;
using kdhost::plugins::GzipResult;

namespace {

struct Unpacked {
  GzipResult result;
  FileBytes bytes;
};

Unpacked unpack(const FileBytes& packed, std::size_t capacity) {
  // Exact sizes on the heap: the address sanitizer sees a byte too far on either side.
  std::vector<uint8_t> in(packed.begin(), packed.end()), out(capacity);
  const GzipResult r = gunzip(in.data(), in.size(), out.data(), out.size());
  REQUIRE(r.produced <= capacity);
  REQUIRE(r.consumed <= packed.size());
  return {r, FileBytes(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(r.produced))};
}

FileBytes noise(std::size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  FileBytes b(n, '\0');
  for (char& c : b) c = static_cast<char>(random() & 255u);
  return b;
}

// Mostly zeros with some strokes, like the images of MNIST.
FileBytes strokes(std::size_t n) {
  std::mt19937 random(7);
  FileBytes b(n, '\0');
  for (std::size_t i = 0; i + 9 < n; i += 40 + random() % 60)
    for (std::size_t k = 0; k < 9; ++k) b[i + k] = static_cast<char>(random() % 256);
  return b;
}

std::vector<FileBytes> contents() {
  FileBytes text;
  while (text.size() < 300'000) text += "the quick brown fox " + std::to_string(text.size() * 7919) + "\n";
  return {"",   "a",          FileBytes(1'000'000, '\0'), noise(70'000, 1), strokes(400'000),
          text, ramp(65'536), FileBytes(258 * 3 + 1, 'x')};
}

}  // namespace

TEST_CASE("what the gzip program packs at any level is unpacked again, to the byte") {
  const Folder folder;
  for (const FileBytes& original : contents())
    for (const int level : {1, 6, 9}) {
      INFO(original.size() << " bytes, level " << level);
      const Unpacked u = unpack(gzipped(folder, original, level), original.size());
      CHECK(u.result.end == GzipEnd::complete);
      CHECK((u.bytes == original));
    }
}

TEST_CASE("members behind one another are unpacked one after the other") {
  const Folder folder;
  const FileBytes packed = gzipped(folder, "first,") + gzipped(folder, "second");
  const Unpacked u = unpack(packed, 12);
  CHECK(u.result.end == GzipEnd::complete);
  CHECK(u.bytes == "first,second");
}

TEST_CASE("more contents than room is said, and the first part is there") {
  const Folder folder;
  for (const FileBytes& original : contents()) {
    if (original.size() < 2) continue;
    const Unpacked u = unpack(gzipped(folder, original), original.size() / 2);
    CHECK(u.result.end == GzipEnd::full);
    CHECK((u.bytes == original.substr(0, original.size() / 2)));
  }
}

TEST_CASE("a stream cut at any byte is truncated, never complete") {
  const Folder folder;
  for (const FileBytes& packed :
       {gzipped(folder, ramp(600)), gzipped(folder, noise(300, 2)), gzipped(folder, strokes(4000), 9)})
    for (std::size_t n = 0; n < packed.size(); ++n) {
      INFO(n << " of " << packed.size());
      const Unpacked u = unpack(packed.substr(0, n), 8192);
      CHECK(u.result.end == GzipEnd::truncated);
    }
}

TEST_CASE("a changed byte is never taken for the original contents") {
  const Folder folder;
  for (const FileBytes& original : {ramp(600), strokes(4000)}) {
    const FileBytes packed = gzipped(folder, original);
    for (std::size_t n = 0; n < packed.size(); ++n)
      for (const int flip : {1, 0x10, 0x80, 0xff}) {
        FileBytes changed = packed;
        changed[n] = static_cast<char>(changed[n] ^ flip);
        const Unpacked u = unpack(changed, original.size() + 100);
        // Time, flags and name in the header are not covered by the checksum; the contents are.
        if (u.result.end == GzipEnd::complete) CHECK((u.bytes == original));
      }
  }
}

TEST_CASE("damage is named") {
  const Folder folder;
  const FileBytes good = gzipped(folder, ramp(600));
  const auto reason = [](const FileBytes& b) { return std::string(unpack(b, 4096).result.reason); };
  FileBytes bad = good;
  bad[bad.size() - 5] = static_cast<char>(bad[bad.size() - 5] ^ 1);
  CHECK(reason(bad) == "a checksum that differs from the one recorded");
  bad = good;
  bad[bad.size() - 1] = static_cast<char>(bad[bad.size() - 1] ^ 1);
  CHECK(reason(bad) == "a length that differs from the one recorded");
  CHECK(reason("PK\x03\x04 not gzip at all") == "no gzip header");
  CHECK(reason(good + "x") == "no gzip header");
  CHECK(unpack(good + "\x1f", 4096).result.end == GzipEnd::truncated);  // it might be the start of another member
  FileBytes method = good;
  method[2] = 7;
  CHECK(reason(method) == "a compression method other than deflate");
  const FileBytes header = good.substr(0, 3) + FileBytes(7, '\0');
  CHECK(reason(header + "\x07" + FileBytes(20, '\0')) == "a block of no known type");
  CHECK(reason(header + FileBytes("\x01\x05\x00\x00\x00", 5)) == "a stored block whose length contradicts itself");
  // Fixed codes, first symbol a length: 3 bits of block header (1, 01), then 0000001 = length 3, distance code 0.
  CHECK(reason(header + FileBytes("\x03\x02\x00\x00\x00\x00\x00", 7)) == "a reference to before the beginning");
}

TEST_CASE("a stored block is copied") {
  const FileBytes header("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 10);
  // CRC-32 of "kdhost" is that of Python's zlib.crc32
  const FileBytes stored =
      header + FileBytes("\x01\x06\x00\xf9\xff", 5) + "kdhost" + FileBytes("\x56\x43\x20\x51\x06\0\0\0", 8);
  const Unpacked u = unpack(stored, 6);
  CHECK(std::string(u.result.reason) == "");
  CHECK(u.result.end == GzipEnd::complete);
  CHECK(u.bytes == "kdhost");
}

TEST_CASE("random changes to many streams neither crash, nor write too far, nor pass for whole") {
  const Folder folder;
  std::mt19937 random(11);
  const std::vector<FileBytes> originals = {strokes(20'000), noise(2000, 3), FileBytes(50'000, 'z')};
  std::vector<FileBytes> streams;
  for (const FileBytes& original : originals) streams.push_back(gzipped(folder, original));
  for (int round = 0; round < 3000; ++round) {
    const std::size_t which = static_cast<std::size_t>(round) % streams.size();
    FileBytes b = streams[which];
    for (auto k = 1 + random() % 6; k > 0; --k) b[10 + random() % (b.size() - 10)] = static_cast<char>(random() & 255u);
    if (random() % 4 == 0) b.resize(random() % b.size());
    const Unpacked u = unpack(b, random() % 60'000);
    CHECK((u.result.end != GzipEnd::complete || u.bytes == originals[which]));
  }
}
