// SPDX-License-Identifier: MIT
// Safetensors files: what is written is read back, the bytes are the same each time, and damage is found.
#include "tensor/safetensors.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/atomic_file.hpp"
#include "boundary_values.hpp"

namespace kdhost {
namespace {

using namespace testing;
namespace fs = std::filesystem;

// A folder that is gone afterwards.
struct Folder {
  Folder() : path(fs::temp_directory_path() / ("kdhost-safetensors-" + std::to_string(::getpid()))) {
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

std::vector<NamedTensor> sample() {
  return {{"flags", at::arange(3) > 0},
          {"weight", at::arange(6, at::kFloat).reshape({2, 3})},
          {"bytes", at::arange(5, at::kByte)},
          {"half", at::arange(3, at::kHalf)},
          {"brain", at::arange(3, at::kBFloat16)},
          {"transposed", at::arange(6, at::kDouble).reshape({2, 3}).t()},
          {"count", at::full({}, 7, at::kLong)},
          {"none", at::zeros({0, 4})}};
}

TEST_CASE("every dtype, shape and layout is read back as it was written") {
  const Folder folder;
  const fs::path path = folder.path / "a.safetensors";
  for (const bool with_digest : {false, true}) {
    const auto tensors = sample();
    write_safetensors(path, tensors, {{"step", "12"}, {"name", "\"quoted\" \xc3\xa9"}}, with_digest);
    const SafetensorsFile file(path, with_digest ? DigestRule::required : DigestRule::if_present);
    CHECK(file.tensors().size() == tensors.size());
    for (const NamedTensor& one : tensors) {
      const at::Tensor read = file.tensor(one.name);
      CHECK(read.scalar_type() == one.value.scalar_type());
      CHECK(read.sizes() == one.value.sizes());
      CHECK(at::equal(read, one.value));
    }
    CHECK(file.metadata().at("name") == "\"quoted\" \xc3\xa9");
    CHECK(file.find("kdhost.digest") == nullptr);
  }
}

TEST_CASE("the same content makes the same bytes, and data are aligned by element size") {
  const Folder folder;
  write_safetensors(folder.path / "a", sample(), {{"b", "2"}, {"a", "1"}}, true);
  write_safetensors(folder.path / "b", sample(), {{"a", "1"}, {"b", "2"}}, true);
  CHECK(read_file((folder.path / "a").string()) == read_file((folder.path / "b").string()));
  const SafetensorsFile file(folder.path / "a");
  for (const StoredTensor& stored : file.tensors()) CHECK(stored.begin % c10::elementSize(stored.dtype) == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(file.tensor("count").data_ptr()) % 8 == 0);
}

TEST_CASE("a tensor outlives the file object and writing to it never reaches the file") {
  const Folder folder;
  const fs::path path = folder.path / "a";
  write_safetensors(path, sample(), {}, true);
  at::Tensor weight;
  {
    const SafetensorsFile file(path);
    weight = file.tensor("weight");
  }
  weight.fill_(9);
  CHECK(weight.sum().item<double>() == 54.0);
  CHECK(SafetensorsFile(path).tensor("weight").sum().item<double>() == 15.0);
}

TEST_CASE("a file that others wrote without alignment, in another order, is read") {
  const Folder folder;
  const fs::path path = folder.path / "a";
  const std::string header = R"({"late":{"shape":[2],"data_offsets":[1,9],"dtype":"F32"},)"
                             R"("early":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  bytes += header;
  bytes += '\x05';
  const float numbers[2] = {1.5f, 2.5f};
  bytes.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
  write_file(path.string(), bytes);
  const SafetensorsFile file(path);
  CHECK(file.tensors()[0].name == "early");
  CHECK(file.tensor("late")[1].item<float>() == 2.5f);
  CHECK(file.tensor("early")[0].item<int>() == 5);
}

TEST_CASE("a name that is not there is answered with the nearest and the list") {
  const Folder folder;
  const fs::path path = folder.path / "a";
  write_safetensors(path, std::vector<NamedTensor>{{"fc1.weight", at::zeros({1})}, {"fc1.bias", at::zeros({1})}}, {},
                    false);
  CHECK(error_of([&] { SafetensorsFile(path).tensor("fc1.wieght"); }) ==
        "4: " + path.string() +
            ": has no tensor 'fc1.wieght'.\n"
            "  It holds fc1.weight, fc1.bias. Did you mean 'fc1.weight'?");
}

TEST_CASE("every single-byte flip and every truncation of a file with a digest is refused with exit 4") {
  const Folder folder;
  const fs::path path = folder.path / "good";
  write_safetensors(path,
                    std::vector<NamedTensor>{{"w", at::arange(3, at::kFloat)}, {"flag", at::ones({2}, at::kBool)}},
                    {{"step", "3"}}, true);
  const std::string good = read_file(path.string());
  const fs::path damaged = folder.path / "damaged";
  const auto refused = [&](const std::string& bytes) {
    std::ofstream(damaged, std::ios::binary | std::ios::trunc) << bytes;
    const std::string text = error_of([&] { SafetensorsFile(damaged, DigestRule::required); });
    return text.rfind("4: " + damaged.string() + ": ", 0) == 0;
  };
  REQUIRE_FALSE(refused(good));
  int missed = 0;
  for (std::size_t i = 0; i < good.size(); ++i)
    for (const int mask : {0x01, 0x80, 0xff}) {
      std::string bytes = good;
      bytes[i] = static_cast<char>(bytes[i] ^ mask);
      missed += refused(bytes) ? 0 : 1;
    }
  for (std::size_t length = 0; length < good.size(); ++length) missed += refused(good.substr(0, length)) ? 0 : 1;
  CHECK(missed == 0);
}

TEST_CASE("a tensor that cannot be stored is refused before anything is written") {
  const Folder folder;
  const fs::path path = folder.path / "a";
  CHECK(error_of([&] {
          write_safetensors(path, std::vector<NamedTensor>{{"w", at::Tensor()}}, {}, false);
        }) == "1: " + path.string() + ": tensor 'w' is no tensor.\n  Expected tensors that can be stored.");
  CHECK(error_of([&] {
          write_safetensors(path, std::vector<NamedTensor>{{"w", at::zeros({1})}, {"w", at::zeros({1})}}, {}, false);
        }) == "1: " + path.string() + ": two tensors are named 'w'.\n  Expected tensors that can be stored.");
  CHECK(error_of([&] {
          write_safetensors(path, std::vector<NamedTensor>{{"\xff", at::zeros({1})}}, {}, false);
        }) == "1: " + path.string() +
                  ": a name or a text of the metadata is not UTF-8.\n  Expected tensors that can be stored.");
  CHECK_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace kdhost
