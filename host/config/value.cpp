// SPDX-License-Identifier: MIT
// The generic value tree and its TOML text. Part of host/config.
#include "config/value.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/text.hpp"

namespace kdhost {
namespace {

bool before(const Entry& entry, std::string_view key) { return entry.key < key; }

bool is_bare(std::string_view key) {
  const auto bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !key.empty() && std::all_of(key.begin(), key.end(), bare);
}

std::string basic_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// "${" begins a variable when the file is read; "$${" stands for the two characters themselves.
std::string with_escaped_variables(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') out += '$';
    out += text[i];
  }
  return out;
}

std::string number_text(double value) {
  std::string text = shortest(value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::string list_text(const ValueList& list) {
  std::string text = "[";
  for (const Value& item : list) text += (text.size() > 1 ? ", " : "") + to_toml(item);
  return text + "]";
}

std::string table_text(const ValueTable& table) {
  if (table.empty()) return "{}";
  std::string text = "{";
  for (const Entry& entry : table) {
    text += (text.size() > 1 ? ", " : " ") + toml_key(entry.key) + " = " + to_toml(entry.value);
  }
  return text + " }";
}

}  // namespace

bool operator==(const Value& a, const Value& b) { return a.data_ == b.data_; }

Value::Value() : data_(ValueTable{}) {}
Value::Value(bool value, Place place) : data_(value), place_(std::move(place)) {}
Value::Value(std::int64_t value, Place place) : data_(value), place_(std::move(place)) {}
Value::Value(double value, Place place) : data_(value), place_(std::move(place)) {}
Value::Value(std::string value, Place place) : data_(std::move(value)), place_(std::move(place)) {}
Value::Value(const char* value, Place place) : Value(std::string(value), std::move(place)) {}
Value::Value(ValueList value, Place place) : data_(std::move(value)), place_(std::move(place)) {}

Value::Value(ValueTable value, Place place) : data_(std::move(value)), place_(std::move(place)) {
  std::sort(table().begin(), table().end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
}

double Value::number() const { return is(Type::integer) ? static_cast<double>(integer()) : std::get<double>(data_); }

const Entry* Value::entry(std::string_view key) const {
  const auto at = std::lower_bound(table().begin(), table().end(), key, before);
  return at != table().end() && at->key == key ? &*at : nullptr;
}

const Value* Value::find(std::string_view key) const {
  const Entry* found = entry(key);
  return found == nullptr ? nullptr : &found->value;
}

Value* Value::find(std::string_view key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

void Value::set(std::string key, Value value, Place key_place) {
  if (!key_place.known()) key_place = value.place();
  const auto at = std::lower_bound(table().begin(), table().end(), key, before);
  if (at != table().end() && at->key == key) {
    at->value = std::move(value);
    at->key_place = std::move(key_place);
  } else {
    table().insert(at, Entry{std::move(key), std::move(value), std::move(key_place)});
  }
}

void Value::erase(std::string_view key) {
  const auto at = std::lower_bound(table().begin(), table().end(), key, before);
  if (at != table().end() && at->key == key) table().erase(at);
}

std::string type_words(Value::Type type) {
  constexpr std::array<const char*, 6> kWords = {"a boolean", "an integer", "a number",
                                                 "a string",  "a list",     "a table"};
  return kWords[static_cast<std::size_t>(type)];
}

std::string to_toml(const Value& value) {
  switch (value.type()) {
    case Value::Type::boolean:
      return value.boolean() ? "true" : "false";
    case Value::Type::integer:
      return std::to_string(value.integer());
    case Value::Type::number:
      return number_text(value.number());
    case Value::Type::string:
      return basic_string(with_escaped_variables(value.string()));
    case Value::Type::list:
      return list_text(value.list());
    case Value::Type::table:
      return table_text(value.table());
  }
  return {};
}

std::string toml_key(std::string_view key) { return is_bare(key) ? std::string(key) : basic_string(key); }

}  // namespace kdhost
