// SPDX-License-Identifier: MIT
// The value tree and its TOML text.
#include "config/value.hpp"

#include <catch2/catch.hpp>

#include "base/launch.hpp"
#include "config/toml_text.hpp"

using namespace kdhost;

TEST_CASE("a table keeps its keys sorted and each of them once", "[config]") {
  Value table;
  table.set("b", Value(true));
  table.set("a", Value(std::int64_t{1}));
  table.set("b", Value("x"));
  CHECK(to_toml(table) == "{ a = 1, b = \"x\" }");
  CHECK(table.find("c") == nullptr);
  table.erase("a");
  table.erase("a");
  CHECK(to_toml(table) == "{ b = \"x\" }");
}

TEST_CASE("equality looks at values, not at places", "[config]") {
  CHECK(Value(2.0, {"a", 1, 1}) == Value(2.0, {"b", 2, 2}));
  CHECK_FALSE(Value(2.0) == Value(std::int64_t{2}));
  CHECK(Value("true").is(Value::Type::string));
}

TEST_CASE("what is written as TOML reads back as it was", "[config]") {
  Value table;
  table.set("number", Value(1e22));
  table.set("whole", Value(3.0));
  table.set("tiny", Value(5e-324));
  table.set("text", Value(std::string("a\"b\\c\nd\te\x01 ${HOME} gr\xC3\xBC\xC3\x9F $")));
  table.set("strange key", Value(ValueList{Value(std::int64_t{-1}), Value(ValueTable{}), Value(ValueList{})}));
  std::vector<Message> problems;
  const auto nothing = [](std::string_view) { return std::optional<std::string>(); };
  const Value back = parse_toml("value = " + to_toml(table), "x", nothing, problems);
  CHECK(problems.empty());
  CHECK(*back.find("value") == table);
}
