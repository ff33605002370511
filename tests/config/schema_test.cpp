// SPDX-License-Identifier: MIT
// The schema: complete, documented, and the JSON Schema made from it.
#include "config/schema.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>

#include "experiment_text.hpp"

using namespace kdhost;
using namespace kdhost::test;
using Json = nlohmann::json;

namespace {

void each_key(const TableSchema& schema, const std::function<void(const TableSchema&, const Key&)>& visit) {
  for (const Key& key : schema.keys) {
    visit(schema, key);
    if (key.is_table()) each_key(*key.table, visit);
  }
}

}  // namespace

TEST_CASE("every key is documented in one sentence", "[config]") {
  int count = 0;
  each_key(experiment_schema(), [&](const TableSchema& schema, const Key& key) {
    INFO(schema.title << " " << key.name);
    REQUIRE(key.doc.size() > 5);
    CHECK(key.doc.back() == '.');
    CHECK_FALSE(key.expectation().empty());
    ++count;
  });
  CHECK(count > 100);
}

TEST_CASE("every key misspelt by one letter is refused with the right one", "[config]") {
  // One path from the top to each table, as a header and what the table needs to be valid.
  const std::vector<std::pair<std::string, const Key*>> tables = [] {
    std::vector<std::pair<std::string, const Key*>> list;
    for (const Key& key : experiment_schema().keys) {
      if (key.is_table()) list.emplace_back(key.name, &key);
    }
    return list;
  }();
  for (const auto& [name, table] : tables) {
    for (const Key& key : table->table->keys) {
      const std::string wrong = key.name + "x";
      const std::string found =
          error_of("", {name + (table->kind == KeyKind::tables ? "=[{" + wrong + "=1}]" : "={" + wrong + "=1}")});
      INFO(found);
      CHECK(found.find("unknown key '" + wrong + "'") != std::string::npos);
      CHECK(found.find("Did you mean '" + key.name + "'?") != std::string::npos);
    }
  }
}

TEST_CASE("the JSON Schema knows every key with its type, range, default and meaning", "[config]") {
  const Json schema = Json::parse(json_schema());
  CHECK(schema["$schema"] == "http://json-schema.org/draft-07/schema#");
  CHECK(schema["additionalProperties"] == false);
  const Json& data = schema["definitions"]["data"]["properties"];
  CHECK(data["batch"]["type"] == "integer");
  CHECK(data["batch"]["minimum"] == 1);
  CHECK(data["batch"]["default"] == 64);
  CHECK(data["labels"]["description"] ==
        "Training samples that keep their label; the others reach only terms that need none. Left out: all. "
        "Unit: samples.");
  CHECK(data["omit_classes"]["anyOf"][1]["items"]["minimum"] == 0);
  CHECK(data["omit_classes"]["description"] ==
        "Classes whose samples are left out of training; validation and test keep them. Left out: none.");
  CHECK(schema["definitions"]["train"]["properties"]["precision"]["enum"] == Json({"fp32", "bf16", "fp64"}));
  CHECK(schema["definitions"]["optimizer"]["properties"]["momentum"]["exclusiveMaximum"] == 1);
  CHECK(schema["definitions"]["loss"]["required"] == Json({"use"}));
  CHECK(schema["definitions"]["schedule"]["required"] == Json({"target", "use"}));
  CHECK_FALSE(schema["definitions"]["data"].contains("required"));
  each_key(experiment_schema(), [&](const TableSchema& table, const Key& key) {
    std::string name = last_part(table.title);
    name.erase(std::remove_if(name.begin(), name.end(), [](char c) { return c == '[' || c == ']'; }), name.end());
    INFO(table.title << " " << key.name);
    const Json& owner = name.empty() ? schema : schema["definitions"][name];
    CHECK(owner["properties"].contains(key.name));
  });
}

TEST_CASE("every reference of the JSON Schema leads to a definition", "[config]") {
  const Json schema = Json::parse(json_schema());
  const std::function<void(const Json&)> walk = [&](const Json& node) {
    if (node.is_object() && node.contains("$ref")) {
      const std::string target = node["$ref"];
      CHECK(schema["definitions"].contains(target.substr(target.rfind('/') + 1)));
    }
    if (node.is_structured()) {
      for (const Json& child : node) walk(child);
    }
  };
  walk(schema);
}
