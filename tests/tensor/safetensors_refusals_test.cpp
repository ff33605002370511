// SPDX-License-Identifier: MIT
// Hostile and damaged safetensors files: each is refused with its full text, quickly, and without reading past the end.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "boundary_values.hpp"
#include "tensor/safetensors.hpp"

namespace kdhost {
namespace {

using namespace testing;
namespace fs = std::filesystem;

fs::path place(const std::string& name) {
  return fs::temp_directory_path() / ("kdhost-" + std::to_string(::getpid()) + "-" + name);
}

std::string length_of(uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

// A file of this header followed by `data` bytes.
std::string file_of(const std::string& header, std::size_t data = 0, char fill = '\0') {
  return length_of(header.size()) + header + std::string(data, fill);
}

// What the reader says to these bytes, without the exit code and path in front, which are checked here.
std::string answer(const std::string& bytes, DigestRule rule = DigestRule::if_present) {
  const fs::path path = place("hostile.safetensors");
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  const auto start = std::chrono::steady_clock::now();
  std::string text = error_of([&] { SafetensorsFile(path, rule); });
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  fs::remove(path);
  const std::string front = "4: " + path.string() + ": ";
  if (text.rfind(front, 0) != 0) return "unexpected: " + text;
  return text.substr(front.size());
}

const std::string kDamaged = " The file is damaged.";
const std::string kForeign = " The file is damaged or not a safetensors file.";

TEST_CASE("a damaged or hostile safetensors file is refused with its full text") {
  struct Case {
    std::string bytes;
    std::string text;
  };
  const std::string four = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  const std::vector<Case> cases{
      {"",
       "has 0 bytes.\n  Expected a safetensors file, which begins with 8 bytes for the length of its header. The file "
       "is "
       "cut short or of another format."},
      {"abc",
       "has 3 bytes.\n  Expected a safetensors file, which begins with 8 bytes for the length of its header. The file "
       "is cut short or of another format."},
      {length_of(uint64_t{1} << 63),
       "claims a header of 9223372036854775808 bytes.\n  Expected at most 100000000." + kForeign},
      {length_of(100),
       "claims a header of 100 bytes, but only 0 follow.\n  Expected the whole header. The file is cut short or "
       "not a safetensors file."},
      {file_of(""), "the header is not valid JSON at byte 9.\n  Expected a JSON object of tensors." + kForeign},
      {file_of(R"({"a":)"),
       "the header is not valid JSON at byte 14.\n  Expected a JSON object of tensors." + kForeign},
      {file_of("[1,2]"), "the header has a list.\n  Expected an object with one entry for each tensor." + kForeign},
      {file_of("7"), "the header has the number 7.\n  Expected an object with one entry for each tensor." + kForeign},
      {file_of("null"), "the header has null.\n  Expected an object with one entry for each tensor." + kForeign},
      {file_of(std::string(1'000'000, '[')),
       "the header has a list.\n  Expected an object with one entry for each tensor." + kForeign},
      {file_of(R"({"a":5})"),
       "tensor 'a' has the number 5.\n  Expected an object with dtype, shape and data_offsets." + kForeign},
      {file_of(R"({"a":{"dtype":{}}})"), "tensor 'a', key 'dtype' has an object.\n  Expected a text." + kForeign},
      {file_of(R"({"a":{"shape":[[1]]}})"),
       "tensor 'a', key 'shape' has a list.\n  Expected a list of whole numbers from 0." + kForeign},
      {file_of(R"({"a":{"shape":[-1]}})"),
       "tensor 'a', key 'shape' has the number -1.\n  Expected a list of whole numbers from 0." + kForeign},
      {file_of(R"({"a":{"shape":[1.5]}})"),
       "tensor 'a', key 'shape' has the number 1.5.\n  Expected a list of whole numbers from 0." + kForeign},
      {file_of(R"({"a":{"shape":"2"}})"),
       "tensor 'a', key 'shape' has the text '2'.\n  Expected a list of whole numbers from 0." + kForeign},
      {file_of(R"({"a":{"shape":[18446744073709551615]}})"),
       "tensor 'a': 'shape' has the number 18446744073709551615.\n  Expected numbers below 2^63." + kDamaged},
      {file_of(R"({"a":{"dtype":"F8"}})"),
       "tensor 'a' has dtype 'F8'.\n  Expected one of F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL. Convert the "
       "tensor to one "
       "of these."},
      {file_of(R"({"a":{"dtype":"F32"}})"),
       "tensor 'a' has only the keys dtype.\n  Expected dtype, shape and data_offsets." + kForeign},
      {file_of(R"({"a":{}})"),
       "tensor 'a' has only the keys (none).\n  Expected dtype, shape and data_offsets." + kForeign},
      {file_of(R"({"a":{"dtype":"F32","code":"x"}})"),
       "tensor 'a': unknown key 'code'.\n  Expected dtype, shape and data_offsets." + kForeign},
      {file_of(R"({"a":{"dtype":"F32","dtype":"F64"}})"),
       "tensor 'a': the key 'dtype' stands twice.\n  Expected each key once. Write the file anew."},
      {file_of(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
               R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"),
       "tensor 'a' stands twice in the header.\n  Expected each name once. Write the file anew."},
      {file_of(R"({"__metadata__":{"a":1}})"), "__metadata__ key 'a' has the number 1.\n  Expected a text." + kForeign},
      {file_of(R"({"__metadata__":{"a":"1","a":"2"}})"),
       "tensor '__metadata__': the key 'a' stands twice.\n  Expected each key once. Write the file anew."},
      {file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4),
       "tensor 'a': data_offsets is [4, 0].\n  Expected two numbers, the second not smaller." + kDamaged},
      {file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 8),
       "tensor 'a': data_offsets is [0, 4, 8].\n  Expected two numbers, the second not smaller." + kDamaged},
      {file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
       "tensor 'a' has 4 bytes (0..4).\n  Expected 8 for float32 [2]." + kDamaged},
      {file_of(R"({"a":{"dtype":"F64","shape":[4611686018427387904,4],"data_offsets":[0,0]}})"),
       "tensor 'a' has shape [4611686018427387904, 4], which is too large.\n  Expected fewer than 2^64 bytes." +
           kDamaged},
      {file_of(four),
       "tensor 'a' lies at bytes 0..4, but the file has only 0 after its header.\n  Expected the whole tensor. The "
       "file is cut short: copy or download it again."},
      {file_of(four, 3),
       "tensor 'a' lies at bytes 0..4, but the file has only 3 after its header.\n  Expected the whole tensor. "
       "The file is cut short: copy or download it again."},
      {file_of(four, 6),
       "2 bytes follow the last tensor.\n  Expected the file to end with it. The file is damaged or was appended to."},
      {file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
               R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
               6),
       "tensor 'b' at bytes 2..6 overlaps tensor 'a'.\n  Expected tensors one after another." + kDamaged},
      {file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
               R"("b":{"dtype":"U8","shape":[2],"data_offsets":[6,8]}})",
               8),
       "tensor 'b' at bytes 6..8 leaves a gap from byte 4.\n  Expected tensors one after another." + kDamaged},
      {file_of(R"({"a":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})", 3, '\2'),
       "tensor 'a' of dtype bool has the byte 2 at element 0.\n  Expected 0 or 1." + kDamaged},
      {file_of(R"({"kdhost.digest":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4),
       "tensor 'kdhost.digest' is uint8 [4].\n  Expected uint8 [16] as the last tensor." + kDamaged},
      {file_of("{\"\x1b[31mred\":5}"),
       "the header is not valid JSON at byte 11.\n  Expected a JSON object of tensors." + kForeign},
      {file_of("{\"\\u001b[31mred\":5}"),
       "tensor '?[31mred' has the number 5.\n  Expected an object with dtype, shape and data_offsets." + kForeign},
  };
  for (const Case& one : cases) {
    CAPTURE(one.bytes.substr(0, 120));
    CHECK(answer(one.bytes) == one.text);
  }
}

TEST_CASE("a wrong digest is told with both values, a missing one where it is required") {
  const std::string header = R"({"kdhost.digest":{"dtype":"U8","shape":[16],"data_offsets":[0,16]}})";
  CHECK_THAT(answer(file_of(header, 16)),
             Catch::StartsWith("is damaged: its bytes have digest ") &&
                 Catch::EndsWith(".\n  Expected 00000000000000000000000000000000, which stands at "
                                 "its end. Use an older checkpoint or make the file anew."));
  CHECK(answer(file_of("{}"), DigestRule::required) ==
        "has no tensor 'kdhost.digest'.\n  Expected a file that kdhost wrote, with a digest over all its bytes. The "
        "file is "
        "damaged or was written by another program.");
}

TEST_CASE("a header with very many tensors is refused before it eats the memory") {
  std::string header = "{";
  for (int i = 0; i <= 200'000; ++i) {
    if (i > 0) header += ',';
    header += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  CHECK(answer(file_of(header + "}")) ==
        "the header lists more than 200000 tensors.\n  Expected at most that many. Split the file.");
}

TEST_CASE("a path that is absent, a folder or a pipe is refused at once") {
  CHECK(error_of([] { SafetensorsFile("/nonexistent/w.safetensors"); }) ==
        "4: /nonexistent/w.safetensors: cannot be opened: No such file or directory.\n  Expected a readable "
        "safetensors file.");
  const fs::path folder = place("folder");
  fs::create_directory(folder);
  CHECK(error_of([&] { SafetensorsFile file(folder); }) ==
        "4: " + folder.string() + ": is not a regular file.\n  Expected a safetensors file.");
  fs::remove(folder);
  const fs::path pipe = place("pipe");
  REQUIRE(std::system(("mkfifo '" + pipe.string() + "'").c_str()) == 0);
  CHECK(error_of([&] { SafetensorsFile file(pipe); }) ==
        "4: " + pipe.string() + ": is not a regular file.\n  Expected a safetensors file.");
  fs::remove(pipe);
}

}  // namespace
}  // namespace kdhost
