// SPDX-License-Identifier: MIT
// Numbers and shapes as text.
#include "base/text.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/stream.hpp"

using namespace kdhost;

TEST_CASE("both number formats read back to the same bits", "[base]") {
  Stream stream(7, "numbers");
  for (int i = 0; i < 10000; ++i) {
    const double value = (stream.uniform() - 0.5) * std::pow(10.0, static_cast<double>(stream.below(600)) - 300.0);
    REQUIRE(std::strtod(digits17(value).c_str(), nullptr) == value);
    REQUIRE(std::strtod(shortest(value).c_str(), nullptr) == value);
  }
}

TEST_CASE("numbers have one written form", "[base]") {
  CHECK(shortest(0.1) == "0.1");
  CHECK(shortest(5.0) == "5");
  CHECK(shortest(1e-8) == "1e-08");
  CHECK(digits17(0.1) == "0.10000000000000001");
  CHECK(shortest(std::nan("")) == "nan");
  CHECK(digits17(-std::numeric_limits<double>::infinity()) == "-inf");
  CHECK(fixed(88.126, 2) == "88.13");
  CHECK(fixed(std::numeric_limits<double>::max(), 1).size() == 311);
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1234567) == "1,234,567");
  CHECK(with_commas(-123456) == "-123,456");
}

TEST_CASE("shapes print as in messages", "[base]") {
  const std::vector<std::int64_t> shape = {64, 10};
  CHECK(shape_text(shape) == "[64, 10]");
  CHECK(shape_text({}) == "[]");
  CHECK(join({"a", "b"}) == "a, b");
}
