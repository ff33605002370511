// SPDX-License-Identifier: MIT
// Kept teacher outputs come back with the same bits; what a killed program left is continued, what is damaged is
// refused.
#include "data/output_store.hpp"
#include "tensor/aten.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <optional>

#include "base/error.hpp"

namespace kdhost {
namespace {

namespace fs = std::filesystem;

/// A folder of the test's own, removed at its end.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("kdhost-outputs-" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

const std::vector<StoredTap> kSmall = {{"logits", at::kFloat, {10}}, {"hidden", at::kHalf, {2, 3}}};
/// 4 KiB a row, so 1024 rows are one block.
const std::vector<StoredTap> kWide = {{"logits", at::kFloat, {1000}}, {"score", at::kDouble, {12}}};
constexpr int64_t kWideRows = 2500;

std::vector<at::Tensor> values_of(const std::vector<StoredTap>& taps, const std::vector<int64_t>& rows) {
  std::vector<at::Tensor> values;
  const at::Tensor column = at::tensor(rows, at::kLong).to(at::kDouble);
  for (const StoredTap& tap : taps) {
    const auto elements = static_cast<int64_t>(tap.bytes() / c10::elementSize(tap.dtype));
    std::vector<int64_t> sizes{static_cast<int64_t>(rows.size())};
    sizes.insert(sizes.end(), tap.sizes.begin(), tap.sizes.end());
    values.push_back(((column.unsqueeze(1) + 1) * at::arange(1, elements + 1, at::kDouble) / 7)
                         .remainder(1000)
                         .reshape(sizes)
                         .to(tap.dtype));
  }
  return values;
}

std::vector<int64_t> range(int64_t begin, int64_t end) {
  std::vector<int64_t> rows(static_cast<std::size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

void put(OutputStore& store, const std::vector<int64_t>& rows) { store.put(rows, values_of(store.taps(), rows)); }

void put_all(OutputStore& store) {
  const auto rows = store.missing();
  for (std::size_t i = 0; i < rows.size(); i += 100)
    put(store, {rows.begin() + static_cast<std::ptrdiff_t>(i),
                rows.begin() + static_cast<std::ptrdiff_t>(std::min(i + 100, rows.size()))});
}

void check_rows(const OutputStore& store, const std::vector<int64_t>& rows) {
  const auto found = store.get(rows, at::kCPU);
  const auto expected = values_of(store.taps(), rows);
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(at::equal(found[i], expected[i]));
}

std::string refusal(const fs::path& path, const std::string& key, const std::vector<StoredTap>& taps, int64_t rows) {
  try {
    OutputStore::disk(path, key, taps, rows);
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::data);
    return error.what();
  }
  return "accepted";
}

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void overwrite(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

/// Opens and reads everything. True where nothing was noticed and all values are right.
bool reads_right(const fs::path& path, const std::vector<StoredTap>& taps, int64_t rows) {
  try {
    const OutputStore store = OutputStore::disk(path, "abc", taps, rows);
    if (!store.complete()) return false;
    const auto found = store.get(range(0, rows), at::kCPU);
    const auto expected = values_of(taps, range(0, rows));
    for (std::size_t i = 0; i < found.size(); ++i) REQUIRE(at::equal(found[i], expected[i]));
    return true;
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::data);
    return false;
  }
}

TEST_CASE("rows come back with the same bits, in the order asked for") {
  const Folder folder;
  for (const bool disk : {false, true}) {
    OutputStore store =
        disk ? OutputStore::disk(folder.path / "out", "abc", kSmall, 50) : OutputStore::memory(50, kSmall);
    CHECK_FALSE(store.complete());
    put(store, {49, 3, 7});
    CHECK(store.has(3));
    CHECK_FALSE(store.has(4));
    check_rows(store, {7, 49, 7, 3});
    CHECK_THROWS_AS(store.get(std::vector<int64_t>{4}, at::kCPU), Error);
    put_all(store);
    CHECK(store.complete());
    CHECK(store.missing().empty());
    check_rows(store, range(0, 50));
    CHECK(store.bytes() >= OutputStore::bytes_needed(50, kSmall));
  }
  CHECK(OutputStore::bytes_needed(50, kSmall) == 50 * (40 + 12));
  const OutputStore again = OutputStore::disk(folder.path / "out", "abc", kSmall, 50);
  CHECK(again.complete());
  check_rows(again, {49, 0, 17});
}

TEST_CASE("a row that is there keeps its first value") {
  OutputStore store = OutputStore::memory(4, {{"logits", at::kFloat, {1}}});
  const std::vector<int64_t> first = {1}, both = {2, 1, 2};
  store.put(first, {at::full({1, 1}, 5.0f)});
  store.put(both, {at::tensor({7.0f, 8.0f, 9.0f}).reshape({3, 1})});
  CHECK(at::equal(store.get(both, at::kCPU)[0].flatten(), at::tensor({7.0f, 5.0f, 7.0f})));
  CHECK(store.missing() == std::vector<int64_t>{0, 3});
}

TEST_CASE("values of another shape or dtype are refused") {
  OutputStore store = OutputStore::memory(4, {{"logits", at::kFloat, {2}}});
  const std::vector<int64_t> rows = {0};
  CHECK_THROWS_WITH(store.put(rows, {at::zeros({1, 3})}),
                    "teacher outputs: tap 'logits' is float32 [1, 3] on cpu.\n  Expected float32 [1, 2].");
  CHECK_THROWS_AS(store.put(rows, {at::zeros({1, 2}, at::kDouble)}), Error);
  CHECK_THROWS_AS(store.put(std::vector<int64_t>{4}, {at::zeros({1, 2})}), Error);
}

TEST_CASE("a store made for another key, other taps or other rows is refused with both values") {
  const Folder folder;
  const fs::path path = folder.path / "out";
  {
    OutputStore store = OutputStore::disk(path, "abc", kSmall, 50);
    put_all(store);
  }
  CHECK(refusal(path, "abd", kSmall, 50) ==
        path.string() +
            ": holds the outputs of another teacher, other data or other settings: key is \"abc\".\n"
            "  Expected key \"abd\". Delete the file to have it made again, or name another one.");
  CHECK(refusal(path, "abc", kSmall, 51).find("rows is 50.\n  Expected rows 51.") != std::string::npos);
  auto taps = kSmall;
  taps[0].sizes = {100};
  const std::string text = refusal(path, "abc", taps, 50);
  CHECK(text.find("\"sizes\":[10]") != std::string::npos);
  CHECK(text.find("\"sizes\":[100]") != std::string::npos);
}

TEST_CASE("a killed writer leaves its finished blocks and nothing that looks finished") {
  const Folder folder;
  const fs::path path = folder.path / "out";
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    OutputStore store = OutputStore::disk(path, "abc", kWide, kWideRows);
    for (int64_t row = 0; row < 1500; row += 10) put(store, range(row, row + 10));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  OutputStore store = OutputStore::disk(path, "abc", kWide, kWideRows);
  CHECK_FALSE(store.complete());
  CHECK(store.missing() == range(1024, kWideRows));
  check_rows(store, range(0, 1024));
  put_all(store);
  CHECK(store.complete());
  check_rows(store, range(0, kWideRows));
}

TEST_CASE("a store that was made and never grown is continued") {
  const Folder folder;
  const fs::path path = folder.path / "out";
  { OutputStore::disk(path, "abc", kSmall, 50); }
  fs::resize_file(path, 4096);  // the header alone, as a program killed at once leaves it
  OutputStore store = OutputStore::disk(path, "abc", kSmall, 50);
  CHECK(store.missing().size() == 50);
  put_all(store);
  CHECK(store.complete());
}

TEST_CASE("two programs never write one store") {
  const Folder folder;
  const fs::path path = folder.path / "out";
  std::optional<OutputStore> store(OutputStore::disk(path, "abc", kSmall, 50));
  CHECK(refusal(path, "abc", kSmall, 50) == path.string() +
                                                ": is being written by another program.\n  Expected to be the only one "
                                                "that writes it. Wait until the other run "
                                                "has computed its teacher outputs, or choose cache = \"memory\".");
  put_all(*store);
  CHECK(OutputStore::disk(path, "abc", kSmall, 50).complete());
  store.reset();
  CHECK(OutputStore::disk(path, "abc", kSmall, 50).complete());
}

TEST_CASE("every flipped byte of a finished store is noticed") {
  const Folder folder;
  const fs::path path = folder.path / "out";
  {
    OutputStore store = OutputStore::disk(path, "abc", kSmall, 20);
    put_all(store);
  }
  const std::string whole = contents(path);
  REQUIRE(whole.size() == 4096 + 4096 + 20 * 52);
  REQUIRE(reads_right(path, kSmall, 20));
  int unnoticed = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string bad = whole;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    overwrite(path, bad);
    if (reads_right(path, kSmall, 20)) ++unnoticed;
  }
  CHECK(unnoticed == 0);
}

TEST_CASE("every cut of a finished store is noticed") {
  const Folder folder;
  const fs::path path = folder.path / "out";
  {
    OutputStore store = OutputStore::disk(path, "abc", kSmall, 20);
    put_all(store);
  }
  const std::string whole = contents(path);
  int unnoticed = 0;
  for (std::size_t size = 0; size < whole.size(); size += 13) {
    overwrite(path, whole.substr(0, size));
    if (reads_right(path, kSmall, 20)) ++unnoticed;
  }
  overwrite(path, whole + "x");
  if (reads_right(path, kSmall, 20)) ++unnoticed;
  CHECK(unnoticed == 0);
}

TEST_CASE("a damaged block is refused when it is read, the others are not touched") {
  const Folder folder;
  const fs::path path = folder.path / "out";
  {
    OutputStore store = OutputStore::disk(path, "abc", kWide, kWideRows);
    put_all(store);
  }
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(2 * 4096 + 1500 * 4096 + 12);
    file.put('\x55');
  }
  const OutputStore store = OutputStore::disk(path, "abc", kWide, kWideRows);
  check_rows(store, {0, 1023, 2048, 2499});
  try {
    store.get(std::vector<int64_t>{1024}, at::kCPU);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::data);
    const std::string text = error.what();
    CHECK(text.find(path.string() + ": the teacher outputs are damaged: block 1 (rows 1024 to 2047) has digest ") == 0);
    CHECK(text.find("Delete the file; the outputs are computed again.") != std::string::npos);
  }
}

TEST_CASE("a disk without enough space is refused before anything is computed") {
  const Folder folder;
  const fs::path path = folder.path / "out";
  const std::string text = refusal(path, "abc", {{"logits", at::kFloat, {1'000'000}}}, 1'000'000'000);
  CHECK(text.find("keeping the teacher outputs takes 4,000,") != std::string::npos);
  CHECK(text.find(" are free on this disk.") != std::string::npos);
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("what is not a store is refused by name and left alone") {
  const Folder folder;
  const fs::path path = folder.path / "out";
  overwrite(path, "something else");
  CHECK(refusal(path, "abc", kSmall, 50).find("is not a file of teacher outputs.") != std::string::npos);
  CHECK(contents(path) == "something else");
  const fs::path pipe = folder.path / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(refusal(pipe, "abc", kSmall, 50).find("is not an ordinary file.") != std::string::npos);
  CHECK(refusal(folder.path, "abc", kSmall, 50).find("cannot be opened: Is a directory.") != std::string::npos);
  CHECK(refusal(folder.path / "none" / "out", "abc", kSmall, 50) != "accepted");
}

}  // namespace
}  // namespace kdhost
