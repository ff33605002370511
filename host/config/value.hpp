// SPDX-License-Identifier: MIT
// A value of the experiment file with the place it was written at: the generic tree between TOML and the plain
// structs. Component parameters stay in this form until the plugin layer checks them against what the component
// declares. Stands at the bottom of host/config; knows nothing of TOML itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"

namespace kdhost {

class Value;
struct Entry;

/// Values of an array in order.
using ValueList = std::vector<Value>;
/// Entries of a table, sorted by key, each key once. Use Value::find and Value::set rather than the vector.
using ValueTable = std::vector<Entry>;

/// One value: boolean, integer, number, string, list or table. Copied by value; equality ignores places.
class Value {
 public:
  /// In the order of the variant's alternatives.
  enum class Type { boolean, integer, number, string, list, table };

  /// An empty table.
  Value();
  explicit Value(bool value, Place place = {});
  explicit Value(std::int64_t value, Place place = {});
  explicit Value(double value, Place place = {});
  explicit Value(std::string value, Place place = {});
  /// A string; without this overload a literal would choose bool.
  explicit Value(const char* value, Place place = {});
  explicit Value(ValueList value, Place place = {});
  explicit Value(ValueTable value, Place place = {});

  Type type() const { return static_cast<Type>(data_.index()); }
  bool is(Type type) const { return this->type() == type; }
  /// Integer or number: an integer is accepted wherever a number is wanted.
  bool is_numeric() const { return is(Type::integer) || is(Type::number); }

  /// These throw std::bad_variant_access on another type: check type() first.
  bool boolean() const { return std::get<bool>(data_); }
  std::int64_t integer() const { return std::get<std::int64_t>(data_); }
  /// Also of an integer.
  double number() const;
  const std::string& string() const { return std::get<std::string>(data_); }
  const ValueList& list() const { return std::get<ValueList>(data_); }
  ValueList& list() { return std::get<ValueList>(data_); }
  const ValueTable& table() const { return std::get<ValueTable>(data_); }
  ValueTable& table() { return std::get<ValueTable>(data_); }

  /// The value of `key` in a table, or null.
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  /// The entry of `key` in a table (with the place of the key), or null.
  const Entry* entry(std::string_view key) const;
  /// Sets or replaces `key` in a table. `key_place` is where the key is written, by default the value's place.
  void set(std::string key, Value value, Place key_place = {});
  /// Removes `key` from a table, where it is there.
  void erase(std::string_view key);

  /// Where the value is written; not known() for defaults.
  const Place& place() const { return place_; }
  void set_place(Place place) { place_ = std::move(place); }

  friend bool operator==(const Value& a, const Value& b);  // defined where Entry is complete

 private:
  std::variant<bool, std::int64_t, double, std::string, ValueList, ValueTable> data_;
  Place place_;
};

/// One entry of a table: equality ignores the place of the key.
struct Entry {
  std::string key;
  Value value;
  Place key_place{};

  friend bool operator==(const Entry& a, const Entry& b) { return a.key == b.key && a.value == b.value; }
};

/// "a boolean", "an integer", "a number", "a string", "a list", "a table": for messages.
std::string type_words(Value::Type type);

/// The value as TOML on one line; numbers in the shortest form that reads back to the same bits, and always with a
/// point or exponent, so that a number never turns into an integer.
std::string to_toml(const Value& value);

/// `key` as it must stand in TOML: bare where possible, else quoted.
std::string toml_key(std::string_view key);

}  // namespace kdhost
