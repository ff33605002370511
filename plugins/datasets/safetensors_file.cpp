// SPDX-License-Identifier: MIT
// Reading safetensors files; see safetensors_file.hpp.
#include "safetensors_file.hpp"

#include <algorithm>

namespace kdhost::plugins {
namespace {

constexpr std::uint64_t kLongestHeader = 100'000'000;  // the limit of the format's own library
constexpr const char* kMend = "The file is damaged, or not a safetensors file: write it again.";

// The JSON of a header: an object of objects whose values are texts or lists of whole numbers. Nothing else is allowed,
// so nesting cannot go deep and numbers cannot be other than counts.
class HeaderReader {
 public:
  HeaderReader(const std::string& path, const std::string& text) : path_(path), text_(text) {}

  std::vector<SafetensorsEntry> read() {
    std::vector<SafetensorsEntry> entries;
    open('{');
    while (more('}')) {
      const std::string name = string();
      expect(':');
      if (name == "__metadata__") {
        metadata();
      } else {
        entries.push_back(entry(name));
      }
    }
    space();
    if (at_ != text_.size()) fail("something after the closing brace");
    return entries;
  }

 private:
  [[noreturn]] void fail(const std::string& found) const {
    refuse(path_, "its header has " + found + " at byte " + std::to_string(8 + at_),
           "the JSON header of a safetensors file", kMend);
  }
  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  char next() {
    space();
    if (at_ == text_.size()) fail("its end");
    return text_[at_];
  }
  void expect(char c) {
    if (next() != c) fail(std::string("'") + text_[at_] + "' instead of '" + c + "'");
    ++at_;
  }
  void open(char c) {
    expect(c);
    first_ = true;
  }
  // True when another element follows; eats the comma before it, or the closing character.
  bool more(char close) {
    const bool first = std::exchange(first_, false);
    if (next() == close) {
      ++at_;
      return false;
    }
    if (!first) expect(',');
    return true;
  }
  std::string string() {
    expect('"');
    std::string s;
    for (;; ++at_) {
      if (at_ == text_.size()) fail("a text without an end");
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character in a text");
      if (c == '"') break;
      s += c;
      if (c != '\\') continue;
      // Escapes are kept as written: names that need them are equal when they are written equally.
      if (++at_ == text_.size()) fail("a text without an end");
      s += text_[at_];
    }
    ++at_;
    return s;
  }
  std::uint64_t count() {
    next();
    const std::size_t begin = at_;
    std::uint64_t v = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
      if (v > (std::uint64_t{1} << 62) / 10) fail("a number that is too large");
      v = v * 10 + digit;
    }
    if (at_ == begin) fail(std::string("'") + text_[at_] + "' instead of a whole number that is not negative");
    if (at_ - begin > 1 && text_[begin] == '0') fail("a number that starts with 0");
    return v;
  }
  std::vector<std::uint64_t> counts() {
    std::vector<std::uint64_t> list;
    open('[');
    while (more(']')) list.push_back(count());
    first_ = false;
    return list;
  }
  void metadata() {
    open('{');
    while (more('}')) {
      string();
      expect(':');
      string();
    }
    first_ = false;
  }

  SafetensorsEntry entry(const std::string& name) {
    SafetensorsEntry e;
    e.name = name;
    std::string dtype;
    std::vector<std::uint64_t> shape, offsets;
    unsigned seen = 0;  // one bit for each key
    open('{');
    while (more('}')) {
      const std::string key = string();
      expect(':');
      const unsigned bit = key == "dtype" ? 1u : key == "shape" ? 2u : key == "data_offsets" ? 4u : 0u;
      if (bit == 0) fail("an unknown key '" + key + "' in tensor '" + name + "'");
      if ((seen & bit) != 0) fail("'" + key + "' twice in tensor '" + name + "'");
      seen |= bit;
      if (bit == 1) dtype = string();
      if (bit == 2) shape = counts();
      if (bit == 4) offsets = counts();
      first_ = false;
    }
    first_ = false;
    if (seen != 7 || offsets.size() != 2) fail("no dtype, shape or two data_offsets for tensor '" + name + "'");
    e.dtype = dtype_named(dtype, name);
    std::uint64_t bytes = width_of(e.dtype);
    for (const std::uint64_t d : shape) {
      if (d != 0 && bytes > (std::uint64_t{1} << 60) / d) fail("a shape that is too large in tensor '" + name + "'");
      bytes *= d;
      e.shape.push_back(static_cast<std::int64_t>(d));
    }
    if (offsets[1] < offsets[0] || offsets[1] - offsets[0] != bytes)
      refuse(
          path_,
          "tensor '" + name + "' has data_offsets " + std::to_string(offsets[0]) + " to " + std::to_string(offsets[1]),
          std::to_string(bytes) + " bytes for shape " + to_string(e.shape) + " of " + dtype, kMend);
    e.begin = offsets[0];
    e.end = offsets[1];
    return e;
  }

  Dtype dtype_named(const std::string& word, const std::string& tensor) const {
    constexpr std::pair<const char*, Dtype> kTypes[] = {
        {"U8", Dtype::u8},   {"I8", Dtype::i8},   {"I16", Dtype::i16}, {"I32", Dtype::i32},      {"I64", Dtype::i64},
        {"F16", Dtype::f16}, {"F32", Dtype::f32}, {"F64", Dtype::f64}, {"BOOL", Dtype::boolean}, {"BF16", Dtype::bf16}};
    for (const auto& [name, dtype] : kTypes)
      if (word == name) return dtype;
    refuse(path_, "tensor '" + tensor + "' has dtype '" + word + "'",
           "one of U8, I8, I16, I32, I64, F16, BF16, F32, F64, BOOL", "Store it with one of these.");
  }

  const std::string& path_;
  const std::string& text_;
  std::size_t at_ = 0;
  bool first_ = true;  // no element of the list or object being read has been seen
};

}  // namespace

std::vector<SafetensorsEntry> read_safetensors_header(const DataFile& file) {
  if (file.size() < 8)
    refuse(file.path(), "has " + std::to_string(file.size()) + " bytes", "a safetensors file of at least 10", kMend);
  std::uint8_t head[8];
  file.read(0, head, 8);
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | head[i];
  if (length > kLongestHeader || length > file.size() - 8)
    refuse(file.path(), "announces a header of " + std::to_string(length) + " bytes",
           "at most " + std::to_string(std::min(kLongestHeader, file.size() - 8)) +
               ", which is what the file has room for",
           kMend);
  std::string text(static_cast<std::size_t>(length), '\0');
  file.read(8, text.data(), text.size());
  std::vector<SafetensorsEntry> entries = HeaderReader(file.path(), text).read();

  std::vector<std::string_view> names;
  for (const auto& e : entries) names.push_back(e.name);
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
    refuse(file.path(), "has two tensors named '" + std::string(*twice) + "'", "each name once", kMend);

  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
  std::uint64_t at = 0;
  for (auto& e : entries) {
    if (e.begin != at)
      refuse(file.path(), "tensor '" + e.name + "' starts at data byte " + std::to_string(e.begin),
             std::to_string(at) + ", where the one before it ends (no gap, no overlap)", kMend);
    at = e.end;
    e.begin += 8 + length;
    e.end += 8 + length;
  }
  if (8 + length + at != file.size())
    refuse(file.path(), "has " + std::to_string(file.size()) + " bytes",
           std::to_string(8 + length + at) + ", as its header says", kFetchAgain);
  return entries;
}

Column read_safetensors_tensor(const DataFile& file, const SafetensorsEntry& entry) {
  Column c{Bytes(static_cast<std::size_t>(entry.end - entry.begin)), 0};
  file.read(entry.begin, c.memory.data(), c.memory.size());
  return c;
}

}  // namespace kdhost::plugins
