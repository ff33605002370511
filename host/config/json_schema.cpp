// SPDX-License-Identifier: MIT
// The JSON Schema of the experiment file, for completion and checks in editors, made from the schema that the reader
// uses. Part of host/config.
#include <cmath>
#include <nlohmann/json.hpp>

#include "config/schema.hpp"

namespace kdhost {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Value& value) {
  switch (value.type()) {
    case Value::Type::boolean:
      return value.boolean();
    case Value::Type::integer:
      return value.integer();
    case Value::Type::number:
      return value.number();
    case Value::Type::string:
      return value.string();
    case Value::Type::list: {
      Json list = Json::array();
      for (const Value& item : value.list()) list.push_back(to_json(item));
      return list;
    }
    case Value::Type::table: {
      Json table = Json::object();
      for (const Entry& entry : value.table()) table[entry.key] = to_json(entry.value);
      return table;
    }
  }
  return nullptr;
}

// A bound of an integer as an integer: 1, not 1.0.
Json bound(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
  return value;
}

Json number(const Key& key, const char* type) {
  Json json = {{"type", type}};
  if (key.least) json[key.above_least ? "exclusiveMinimum" : "minimum"] = bound(*key.least);
  if (key.most) json[key.below_most ? "exclusiveMaximum" : "maximum"] = bound(*key.most);
  return json;
}

Json text() { return {{"type", "string"}, {"minLength", 1}}; }

Json one_or_list(const Json& item) {
  return {{"anyOf", Json::array({item, Json{{"type", "array"}, {"items", item}}})}};
}

// "loss" of "[[loss]]", "transform" of "[[data.transform]]": the name of a table among the definitions.
std::string definition_name(const TableSchema& schema) {
  const std::string inside = schema.title.substr(schema.title.find_first_not_of('['));
  return last_part(inside.substr(0, inside.find(']')));
}

Json reference(const TableSchema& schema) { return {{"$ref", "#/definitions/" + definition_name(schema)}}; }

Json type_of(const Key& key) {
  switch (key.kind) {
    case KeyKind::boolean:
      return {{"type", "boolean"}};
    case KeyKind::integer:
      return number(key, "integer");
    case KeyKind::number:
      return number(key, "number");
    case KeyKind::string:
      return {{"type", "string"}};
    case KeyKind::name:
      return {{"type", "string"}, {"pattern", "^[A-Za-z0-9_-]+$"}};
    case KeyKind::id:
    case KeyKind::path:
      return text();
    case KeyKind::choice:
      return {{"type", "string"}, {"enum", key.choices}};
    case KeyKind::integers:
      return one_or_list(number(key, "integer"));
    case KeyKind::strings:
    case KeyKind::paths:
      return one_or_list(text());
    case KeyKind::number_pair:
      return {{"type", "array"}, {"items", number(key, "number")}, {"minItems", 2}, {"maxItems", 2}};
    case KeyKind::pairs: {
      const Json pair = {{"type", "array"}, {"items", {{"type", "string"}}}, {"minItems", 2}, {"maxItems", 2}};
      const Json table = {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
      return {{"anyOf", Json::array({Json{{"type", "array"}, {"items", pair}}, table})}};
    }
    case KeyKind::params:
      return {{"type", "object"}};
    case KeyKind::bindings:
      return {{"type", "object"}};
    case KeyKind::table:
      return {{"allOf", Json::array({reference(*key.table)})}};
    case KeyKind::tables:
      return {{"type", "array"}, {"items", reference(*key.table)}};
    case KeyKind::table_or_tables:
      return one_or_list(reference(*key.table));
  }
  return {};
}

Json property(const Key& key, const void* defaults) {
  Json json = type_of(key);
  json["description"] = key.doc + (key.absent.empty() ? "" : " Left out: " + key.absent + ".") +
                        (key.unit.empty() ? "" : " Unit: " + key.unit + ".");
  if (!key.load || key.required) return json;
  const auto value = key.load(defaults);
  const bool empty_text = value && value->is(Value::Type::string) && value->string().empty();
  if (value && !empty_text) json["default"] = to_json(*value);
  return json;
}

// Tables of the top level may be completed by an included file, so only elements of arrays, which are never merged,
// say what they require.
Json table(const TableSchema& schema, Json& definitions, bool array) {
  const auto defaults = schema.defaults();
  Json properties = Json::object();
  Json required = Json::array();
  for (const Key& key : schema.keys) {
    properties[key.name] = property(key, defaults.get());
    if (key.required) required.push_back(key.name);
    if (!key.is_table() || definitions.contains(definition_name(*key.table))) continue;
    // Reserved first, so that the order is that of the file; filled when the table below is known.
    definitions[definition_name(*key.table)] = nullptr;
    Json inner = table(*key.table, definitions, key.kind == KeyKind::tables);
    definitions[definition_name(*key.table)] = std::move(inner);
  }
  Json json = {{"type", "object"}};
  if (!schema.doc.empty()) json["description"] = schema.doc;
  json["properties"] = std::move(properties);
  if (array && !required.empty()) json["required"] = std::move(required);
  json["additionalProperties"] = false;
  return json;
}

}  // namespace

std::string json_schema() {
  Json definitions = Json::object();
  Json whole = table(experiment_schema(), definitions, false);
  Json json = {{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "kdhost experiment"}};
  json.update(whole);
  json["definitions"] = std::move(definitions);
  return json.dump(2) + "\n";
}

}  // namespace kdhost
