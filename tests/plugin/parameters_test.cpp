// SPDX-License-Identifier: MIT
// Parameters against their declaration: every mistake has its text, and what passes arrives as the C interface wants.
#include "plugin/parameters.hpp"

#include <filesystem>
#include <limits>

#include "config/layers.hpp"
#include "plugin/zoo_files.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

const ComponentInfo& divergence() {
  static const Record record = read_record(zoo("healthy"));
  return *record.component("zoo.divergence");
}

const Place kUse{"e.toml", 3, 7};

Value one(const std::string& key, Value value) {
  value.set_place({"e.toml", 4, 20});
  Value table;
  table.set(key, std::move(value), {"e.toml", 4, 12});
  return table;
}

std::string problem(const std::string& key, Value value) {
  return error_of([&] { resolve_parameters(divergence(), one(key, std::move(value)), kUse); });
}

std::string at_value(const std::string& text) { return "exit 3: e.toml:4:20: " + text; }

}  // namespace

TEST_CASE("an unknown parameter is answered with the known ones and the nearest") {
  CHECK(problem("temprature", Value(4.0)) ==
        "exit 3: e.toml:4:12: 'zoo.divergence' has no parameter 'temprature'.\n"
        "  It has: temperature, margin, neighbours, seed, symmetric, form, note, sizes, levels, names. Did you mean "
        "'temperature'?");
  ComponentInfo bare;
  bare.id = "zoo.bare";
  CHECK(error_of([&] { resolve_parameters(bare, one("x", Value(1.0)), kUse); }) ==
        "exit 3: e.toml:4:12: 'zoo.bare' has no parameter 'x'.\n  It takes none.");
}

TEST_CASE("a parameter of the wrong type says what it is and what it takes") {
  const auto text = [](const std::string& name, const std::string& found, const std::string& expected) {
    return at_value("parameter '" + name + "' of 'zoo.divergence' is " + found + ".\n  Expected " + expected + ".");
  };
  CHECK(problem("temperature", Value("4")) == text("temperature", "\"4\"", "a number, > 0"));
  CHECK(problem("temperature", Value(true)) == text("temperature", "true", "a number, > 0"));
  CHECK(problem("neighbours", Value(2.5)) == text("neighbours", "2.5", "an integer, >= 1 and <= 10"));
  CHECK(problem("neighbours", Value(2.0)) == text("neighbours", "2.0", "an integer, >= 1 and <= 10"));
  CHECK(problem("symmetric", Value(std::int64_t{1})) == text("symmetric", "1", "true or false"));
  CHECK(problem("note", Value(std::int64_t{1})) == text("note", "1", "a string"));
  CHECK(problem("form", Value(false)) == text("form", "false", "a string, one of \"code\", \"paper|as printed\""));
  CHECK(problem("sizes", Value(std::int64_t{1})) == text("sizes", "1", "a list of integers"));
  CHECK(problem("sizes", Value(ValueList{Value(std::int64_t{1}), Value(0.5)})) ==
        text("sizes", "[1, 0.5]", "a list of integers"));
  CHECK(problem("names", Value(ValueList{Value(1.0)})) == text("names", "[1.0]", "a list of strings"));
}

TEST_CASE("a parameter out of range says which range") {
  const auto text = [](const std::string& name, const std::string& found, const std::string& expected) {
    return at_value("parameter '" + name + "' of 'zoo.divergence' is " + found + ".\n  Expected " + expected + ".");
  };
  CHECK(problem("temperature", Value(0.0)) == text("temperature", "0.0", "a number, > 0"));
  CHECK(problem("temperature", Value(std::int64_t{-1})) == text("temperature", "-1", "a number, > 0"));
  CHECK(problem("temperature", Value(std::numeric_limits<double>::quiet_NaN())) ==
        text("temperature", "nan", "a number, > 0"));
  CHECK(problem("margin", Value(1.5)) == text("margin", "1.5", "a number, >= -1 and <= 1"));
  CHECK(problem("neighbours", Value(std::int64_t{11})) == text("neighbours", "11", "an integer, >= 1 and <= 10"));
  CHECK(problem("levels", Value(ValueList{Value(1.0), Value(2.0)})) ==
        text("levels", "2.0", "a list of numbers, each < 2"));
  CHECK(problem("form", Value("kode")) ==
        at_value("parameter 'form' of 'zoo.divergence' is \"kode\".\n  Expected a string, one of \"code\", \"paper|as "
                 "printed\". Did you mean 'code'?"));
  CHECK(problem("margin", Value(-1.0)) == "no error");
  CHECK(problem("margin", Value(1.0)) == "no error");
  CHECK(problem("form", Value("paper|as printed")) == "no error");
}

TEST_CASE("a required parameter that is missing is an error at the component") {
  const Record record = read_record(zoo("healthy"));
  CHECK(error_of([&] { resolve_parameters(*record.component("zoo.feature"), Value(), kUse); }) ==
        "exit 3: e.toml:3:7: parameter 'power' of 'zoo.feature' is missing.\n"
        "  Expected a number, >= 1 and <= 4. Write params = { power = ... }.");
}

TEST_CASE("all problems of a component are reported together") {
  Value table;
  table.set("temperature", Value(0.0));
  table.set("neighbours", Value(0.5));
  table.set("unknown", Value(true));
  std::vector<Message> problems;
  check_parameters(divergence(), table, kUse, problems);
  CHECK(problems.size() == 3);
}

TEST_CASE("defaults are filled in and integers become numbers where numbers are wanted") {
  const Value given = one("temperature", Value(std::int64_t{5}));
  const Parameters parameters = resolve_parameters(divergence(), given, kUse);
  const Value& table = parameters.table();
  CHECK(to_toml(table) ==
        "{ form = \"code\", levels = [0.5, 1.0], names = [\"a\", \"b\"], neighbours = 3, note = \"tab\\there\", seed = "
        "0, "
        "sizes = [1, 2], symmetric = false, temperature = 5.0 }");
}

TEST_CASE("a path starts at the folder of the file that contains it, on the command line at the current folder") {
  ComponentInfo files;
  files.id = "zoo.files";
  ParamInfo& root = files.params.emplace_back();
  root.name = "root";
  root.type = KDH_T_STRING;
  root.is_path = true;
  const auto resolved = [&](const std::string& text, const Place& place) {
    Value table;
    table.set("root", Value(text, place), place);
    return resolve_parameters(files, table, kUse).table().find("root")->string();
  };
  CHECK(resolved("data/../digits", {"/experiments/shared/base.toml", 2, 10}) == "/experiments/shared/digits");
  CHECK(resolved("/data", {"/experiments/e.toml", 2, 10}) == "/data");
  CHECK(resolved("", {"/experiments/e.toml", 2, 10}).empty());
  const std::string here = std::filesystem::current_path().string();
  CHECK(resolved("digits", {override_label("data.params.root=digits")}) == here + "/digits");
}

TEST_CASE("resolved parameters arrive in declaration order with their C types") {
  Parameters first = resolve_parameters(divergence(), one("temperature", Value(2.5)), kUse);
  const Parameters parameters = std::move(first);  // pointers must survive a move
  REQUIRE(parameters.size() == 10);
  const auto arg = [&](const char* name) -> const kdh_value& {
    const std::optional<std::size_t> index = parameters.index(name);
    REQUIRE(index);
    return parameters.data()[*index].value;
  };
  CHECK(*parameters.index("temperature") == 0);
  CHECK(arg("temperature").type == KDH_T_FLOAT);
  CHECK(arg("temperature").u.f == 2.5);
  CHECK(arg("margin").type == KDH_T_NONE);
  CHECK(arg("neighbours").type == KDH_T_INT);
  CHECK(arg("neighbours").u.i == 3);
  CHECK(arg("symmetric").type == KDH_T_BOOL);
  CHECK(arg("symmetric").u.i == 0);
  CHECK(std::string(arg("note").u.s, arg("note").count) == "tab\there");
  REQUIRE(arg("sizes").count == 2);
  CHECK(arg("sizes").u.ints[1] == 2);
  REQUIRE(arg("levels").count == 2);
  CHECK(arg("levels").u.floats[0] == 0.5);
  REQUIRE(arg("names").count == 2);
  CHECK(std::string(arg("names").u.strings[1].data, arg("names").u.strings[1].size) == "b");
  CHECK_FALSE(parameters.index("nothing"));
}

TEST_CASE("a schedule sets numbers, and integers are rounded to the nearest") {
  Parameters parameters = resolve_parameters(divergence(), Value(), kUse);
  const std::size_t temperature = *parameters.index("temperature");
  const std::size_t neighbours = *parameters.index("neighbours");
  CHECK(parameters.number(temperature) == 4.0);
  CHECK(parameters.number(neighbours) == 3.0);
  parameters.set_number(temperature, 0.25);
  parameters.set_number(neighbours, 4.6);
  CHECK(parameters.data()[temperature].value.u.f == 0.25);
  CHECK(parameters.data()[neighbours].value.u.i == 5);
  const std::size_t margin = *parameters.index("margin");
  parameters.set_number(margin, 0.5);
  CHECK(parameters.data()[margin].value.type == KDH_T_FLOAT);
  CHECK(parameters.number(margin) == 0.5);
}
