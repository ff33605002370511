// SPDX-License-Identifier: MIT
// Reading and checking the header of a safetensors file; see safetensors_header.hpp.
#include "tensor/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kdhost {
namespace {

constexpr std::size_t kMaxTensors = 200'000;
constexpr std::size_t kMaxStoredRank = 32;

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 10> kStoredDtypes{{{"F64", at::kDouble},
                                                                                     {"F32", at::kFloat},
                                                                                     {"F16", at::kHalf},
                                                                                     {"BF16", at::kBFloat16},
                                                                                     {"I64", at::kLong},
                                                                                     {"I32", at::kInt},
                                                                                     {"I16", at::kShort},
                                                                                     {"I8", at::kChar},
                                                                                     {"U8", at::kByte},
                                                                                     {"BOOL", at::kBool}}};

std::string in_tensor(const std::string& name) { return "tensor " + kdhost::quoted(name); }

// Takes the events of the JSON parser. Level 1 is the outer object, 2 a tensor or the metadata, 3 a list of numbers.
class HeaderReader {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  explicit HeaderReader(const std::string& path) : path_(path) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool null() { unexpected("null"); }
  bool boolean(bool value) { unexpected(value ? "true" : "false"); }
  bool number_float(number_float_t, const string_t& text) { unexpected("the number " + text); }
  bool number_integer(number_integer_t value) { unexpected("the number " + std::to_string(value)); }
  bool binary(binary_t&) { unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) {
    if (level_ != 3) unexpected("the number " + std::to_string(value));
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max()))
      refuse_file(path_, in_tensor(tensor_) + ": '" + key_ + "' has the number " + std::to_string(value) + ".",
                  "Expected numbers below 2^63.", "The file is damaged.");
    if (numbers_.size() > kMaxStoredRank)
      refuse_file(path_,
                  in_tensor(tensor_) + ": '" + key_ + "' has more than " + std::to_string(kMaxStoredRank) + " numbers.",
                  "Expected at most that many.", "The file is damaged.");
    numbers_.push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(string_t& text) {
    if (level_ != 2) unexpected("the text " + kdhost::quoted(text));
    if (in_metadata_) {
      header_.metadata[key_] = text;
      return true;
    }
    if (key_ != "dtype") unexpected("the text " + kdhost::quoted(text));
    const auto* known =
        std::find_if(kStoredDtypes.begin(), kStoredDtypes.end(), [&](const auto& pair) { return pair.first == text; });
    if (known == kStoredDtypes.end()) {
      std::vector<std::string> names;
      for (const auto& [name, dtype] : kStoredDtypes) names.emplace_back(name);
      refuse_file(path_, in_tensor(tensor_) + " has dtype " + kdhost::quoted(text) + ".",
                  "Expected one of " + join(names) + ".", "Convert the tensor to one of these.");
    }
    header_.tensors.back().dtype = known->second;
    return true;
  }

  bool start_object(std::size_t) {
    if (level_ >= 2) unexpected("an object");
    ++level_;
    if (level_ < 2) return true;
    keys_.clear();
    in_metadata_ = tensor_ == "__metadata__";
    if (in_metadata_) return true;
    if (header_.tensors.size() == kMaxTensors)
      refuse_file(path_, "the header lists more than " + std::to_string(kMaxTensors) + " tensors.",
                  "Expected at most that many.", "Split the file.");
    header_.tensors.emplace_back().name = tensor_;
    return true;
  }

  bool key(string_t& text) {
    if (level_ == 1) {
      tensor_ = text;
      if (!names_.insert(text).second)
        refuse_file(path_, in_tensor(text) + " stands twice in the header.", "Expected each name once.",
                    "Write the file anew.");
      return true;
    }
    key_ = text;
    if (std::find(keys_.begin(), keys_.end(), text) != keys_.end() ||
        (in_metadata_ && header_.metadata.find(text) != header_.metadata.end()))
      refuse_file(path_, in_tensor(tensor_) + ": the key " + kdhost::quoted(text) + " stands twice.",
                  "Expected each key once.", "Write the file anew.");
    if (in_metadata_) return true;
    if (text != "dtype" && text != "shape" && text != "data_offsets")
      refuse_file(path_, in_tensor(tensor_) + ": unknown key " + kdhost::quoted(text) + ".",
                  "Expected dtype, shape and data_offsets.", "The file is damaged or not a safetensors file.");
    keys_.push_back(text);
    return true;
  }

  bool end_object() {
    if (level_ == 2 && !in_metadata_ && keys_.size() != 3)
      refuse_file(path_, in_tensor(tensor_) + " has only the keys " + (keys_.empty() ? "(none)" : join(keys_)) + ".",
                  "Expected dtype, shape and data_offsets.", "The file is damaged or not a safetensors file.");
    --level_;
    return true;
  }

  bool start_array(std::size_t) {
    if (level_ != 2 || in_metadata_ || key_ == "dtype") unexpected("a list");
    ++level_;
    numbers_.clear();
    return true;
  }

  bool end_array() {
    --level_;
    StoredTensor& tensor = header_.tensors.back();
    if (key_ == "shape") {
      tensor.sizes = numbers_;
      return true;
    }
    if (numbers_.size() != 2 || numbers_[0] > numbers_[1])
      refuse_file(path_, in_tensor(tensor_) + ": data_offsets is " + shape_text(numbers_) + ".",
                  "Expected two numbers, the second not smaller.", "The file is damaged.");
    tensor.begin = static_cast<uint64_t>(numbers_[0]);
    tensor.end = static_cast<uint64_t>(numbers_[1]);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    refuse_file(path_, "the header is not valid JSON at byte " + std::to_string(8 + position) + ".",
                "Expected a JSON object of tensors.", "The file is damaged or not a safetensors file.");
  }

 private:
  [[noreturn]] void unexpected(const std::string& found) const {
    std::string where = "the header";
    std::string expected = "Expected an object with one entry for each tensor.";
    if (level_ == 1) {
      where = in_tensor(tensor_);
      expected = "Expected an object with dtype, shape and data_offsets.";
    } else if (level_ >= 2 && in_metadata_) {
      where = "__metadata__ key " + kdhost::quoted(key_);
      expected = "Expected a text.";
    } else if (level_ >= 2) {
      where = in_tensor(tensor_) + ", key " + kdhost::quoted(key_);
      expected = key_ == "dtype" ? "Expected a text." : "Expected a list of whole numbers from 0.";
    }
    refuse_file(path_, where + " has " + found + ".", expected, "The file is damaged or not a safetensors file.");
  }

  const std::string& path_;
  SafetensorsHeader header_;
  std::unordered_set<std::string> names_;
  std::vector<std::string> keys_;
  std::vector<int64_t> numbers_;
  std::string tensor_;
  std::string key_;
  int level_ = 0;
  bool in_metadata_ = false;
};

void check_layout(const std::string& path, const std::vector<StoredTensor>& tensors, uint64_t data_bytes) {
  uint64_t cursor = 0;
  const StoredTensor* before = nullptr;
  for (const StoredTensor& stored : tensors) {
    const std::string span = std::to_string(stored.begin) + ".." + std::to_string(stored.end);
    uint64_t bytes = c10::elementSize(stored.dtype);
    bool overflow = false;
    for (const int64_t size : stored.sizes)
      overflow = __builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes) || overflow;
    if (overflow)
      refuse_file(path, in_tensor(stored.name) + " has shape " + shape_text(stored.sizes) + ", which is too large.",
                  "Expected fewer than 2^64 bytes.", "The file is damaged.");
    if (stored.end - stored.begin != bytes)
      refuse_file(
          path, in_tensor(stored.name) + " has " + std::to_string(stored.end - stored.begin) + " bytes (" + span + ").",
          "Expected " + std::to_string(bytes) + " for " + dtype_name(stored.dtype) + " " + shape_text(stored.sizes) +
              ".",
          "The file is damaged.");
    if (stored.end > data_bytes)
      refuse_file(path,
                  in_tensor(stored.name) + " lies at bytes " + span + ", but the file has only " +
                      std::to_string(data_bytes) + " after its header.",
                  "Expected the whole tensor.", "The file is cut short: copy or download it again.");
    if (stored.begin < cursor)
      refuse_file(path, in_tensor(stored.name) + " at bytes " + span + " overlaps " + in_tensor(before->name) + ".",
                  "Expected tensors one after another.", "The file is damaged.");
    if (stored.begin > cursor)
      refuse_file(
          path,
          in_tensor(stored.name) + " at bytes " + span + " leaves a gap from byte " + std::to_string(cursor) + ".",
          "Expected tensors one after another.", "The file is damaged.");
    cursor = stored.end;
    before = &stored;
  }
  if (cursor != data_bytes)
    refuse_file(path, std::to_string(data_bytes - cursor) + " bytes follow the last tensor.",
                "Expected the file to end with it.", "The file is damaged or was appended to.");
}

}  // namespace

void refuse_file(const std::string& path, std::string what, std::string expected, std::string mend) {
  throw Error(
      Exit::data,
      Message{.where = path, .what = std::move(what), .expected = std::move(expected), .mend = std::move(mend)});
}

std::string_view stored_dtype_name(at::ScalarType dtype) {
  for (const auto& [name, known] : kStoredDtypes)
    if (known == dtype) return name;
  return {};
}

SafetensorsHeader parse_header(const std::string& path, std::string_view text, uint64_t data_bytes) {
  HeaderReader reader(path);
  nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  SafetensorsHeader header = reader.take();
  std::stable_sort(header.tensors.begin(), header.tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  check_layout(path, header.tensors, data_bytes);
  return header;
}

}  // namespace kdhost
