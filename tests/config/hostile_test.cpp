// SPDX-License-Identifier: MIT
// Files made to hurt: nesting, size, numbers of values and messages, bytes that are no text.
#include <catch2/catch.hpp>
#include <chrono>

#include "base/stream.hpp"
#include "config/layers.hpp"
#include "experiment_text.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

std::string repeated(const std::string& part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

constexpr const char* kTooDeep = ": tables or lists are nested too deeply.\n  Expected at most 64 levels.";

}  // namespace

TEST_CASE("nesting beyond the limit is refused however it is written", "[config]") {
  CHECK(error_of("x = " + repeated("[", 100'000)) == std::string("e.toml:1:69") + kTooDeep);
  CHECK(error_of("x = " + repeated("{a=", 100'000)) == std::string("e.toml:1:197") + kTooDeep);
  CHECK(error_of("[" + repeated("a.", 1'000'000) + "a]\n") == std::string("e.toml:1:129") + kTooDeep);
  CHECK(error_of(repeated("a.", 1'000'000) + "a = 1\n") == std::string("e.toml:1:128") + kTooDeep);
  CHECK(error_of(kGood, {"student.params.x=" + repeated("[", 100'000)}).find("nested too deeply") != std::string::npos);
}

TEST_CASE("brackets and points inside strings and comments are no nesting", "[config]") {
  const std::string many = repeated("[.{", 200);
  const std::string text = "title = \"" + many + "\\\"" + many + "\" # " + many + "\n" +
                           changed("params = {", "params = { a = '" + many + "', b = \"\"\"" + many + "\n\"" + many +
                                                     "\"\"\", c = '''" + many + "\n'" + many + "''',");
  const Experiment e = read(text);
  CHECK(e.title == many + "\"" + many);
  CHECK(e.student.component.params.find("c")->string() == many + "\n'" + many);
}

TEST_CASE("nesting within the limit is read", "[config]") {
  const std::string deep = repeated("[", 60) + repeated("]", 60);
  CHECK(read(changed("[32]", deep)).student.component.params.find("hidden")->is(Value::Type::list));
}

TEST_CASE("a file of too many values is refused", "[config]") {
  const std::string text = "seeds = [" + repeated("1,", 100'001) + "1]\n";
  CHECK(error_of(text).find(": the file has too many values.\n  Expected at most 100000.") != std::string::npos);
}

TEST_CASE("many wrong keys are refused in time and not all of them listed", "[config]") {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "key" + std::to_string(i) + " = 1\n";
  const auto start = std::chrono::steady_clock::now();
  const std::string found = error_of(text + kGood);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
  CHECK(std::count(found.begin(), found.end(), '\n') < 250);
  CHECK(found.ends_with("\ne.toml: and 49900 more errors."));
}

TEST_CASE("a path of an override may be long and strange", "[config]") {
  CHECK(error_of(kGood, {repeated("a.", 100'000) + "=1"}).find("nested too deeply") != std::string::npos);
  CHECK(error_of(kGood, {"student.params" + repeated(".a", 100) + "=1"}).find("nested too deeply") !=
        std::string::npos);
  CHECK(error_of(kGood, {"..=1"}).find("names nothing: unknown key ''") != std::string::npos);
}

TEST_CASE("damaged files are refused or read, never worse", "[config]") {
  Stream stream(1, "damage");
  for (int round = 0; round < 5000; ++round) {
    std::string text = kGood;
    for (std::uint64_t i = 0; i <= stream.below(3); ++i) {
      const auto at = static_cast<std::size_t>(stream.below(text.size()));
      const auto byte = static_cast<char>(stream.below(256));
      if (stream.below(2) == 0) {
        text[at] = byte;
      } else if (stream.below(2) == 0) {
        text.erase(at, static_cast<std::size_t>(stream.below(20)));
        if (text.empty()) text = " ";
      } else {
        text.insert(at, 1, byte);
      }
    }
    const std::string found = error_of(text);
    INFO(text);
    // Exit code 3 is not written in front: any other would be, and an exception of another type fails the test.
    REQUIRE((found == "no error" || found.compare(0, 6, "e.toml") == 0));
  }
}
