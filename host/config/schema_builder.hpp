// SPDX-License-Identifier: MIT
// How config/schema.cpp writes its tables: each line names a key and the member it fills, and the member's type
// decides kind, reading and writing. Included by schema.cpp only. Part of host/config.
#pragma once

#include <cmath>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "config/schema.hpp"

namespace kdhost::schema_builder {

/// Kind, store and load of one member type.
template <class T>
struct Codec;

template <>
struct Codec<std::string> {
  static constexpr KeyKind kKind = KeyKind::string;
  static void store(std::string& to, const Value& value) { to = value.string(); }
  static std::optional<Value> load(const std::string& from) { return Value(from); }
};

template <>
struct Codec<Flag> {
  static constexpr KeyKind kKind = KeyKind::boolean;
  static void store(Flag& to, const Value& value) { to = {value.boolean(), value.place()}; }
  static std::optional<Value> load(const Flag& from) { return Value(from.value); }
};

template <>
struct Codec<Integer> {
  static constexpr KeyKind kKind = KeyKind::integer;
  static void store(Integer& to, const Value& value) { to = {value.integer(), value.place()}; }
  static std::optional<Value> load(const Integer& from) { return Value(from.value); }
};

template <>
struct Codec<Number> {
  static constexpr KeyKind kKind = KeyKind::number;
  static void store(Number& to, const Value& value) { to = {value.number(), value.place()}; }
  static std::optional<Value> load(const Number& from) { return Value(from.value); }
};

template <>
struct Codec<Text> {
  static constexpr KeyKind kKind = KeyKind::string;
  static void store(Text& to, const Value& value) { to = {value.string(), value.place()}; }
  static std::optional<Value> load(const Text& from) { return Value(from.value); }
};

template <class E>
requires std::is_enum_v<E>
struct Codec<Located<E>> {
  static constexpr KeyKind kKind = KeyKind::choice;
  static void store(Located<E>& to, const Value& value) {
    const std::vector<std::string>& names = choices_of(E{});
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == value.string()) to = {static_cast<E>(i), value.place()};
    }
  }
  static std::optional<Value> load(const Located<E>& from) { return Value(name_of(from.value)); }
};

template <class T>
struct Codec<std::optional<T>> {
  static constexpr KeyKind kKind = Codec<T>::kKind;
  static void store(std::optional<T>& to, const Value& value) { Codec<T>::store(to.emplace(), value); }
  static std::optional<Value> load(const std::optional<T>& from) { return from ? Codec<T>::load(*from) : std::nullopt; }
};

/// Lists of integers or texts. A single value stands for a list of one.
template <class T>
requires std::is_same_v<T, Integer> || std::is_same_v<T, Text>
struct Codec<std::vector<T>> {
  static constexpr KeyKind kKind = std::is_same_v<T, Integer> ? KeyKind::integers : KeyKind::strings;
  static void store(std::vector<T>& to, const Value& value) {
    to.clear();
    if (!value.is(Value::Type::list)) return Codec<T>::store(to.emplace_back(), value);
    for (const Value& item : value.list()) Codec<T>::store(to.emplace_back(), item);
  }
  static std::optional<Value> load(const std::vector<T>& from) {
    ValueList list;
    for (const T& item : from) list.push_back(*Codec<T>::load(item));
    return Value(std::move(list));
  }
};

template <>
struct Codec<std::vector<Rename>> {
  static constexpr KeyKind kKind = KeyKind::pairs;
  static void store(std::vector<Rename>& to, const Value& value) {
    to.clear();
    if (value.is(Value::Type::table)) {
      for (const Entry& entry : value.table()) {
        to.push_back({{entry.key, entry.key_place}, {entry.value.string(), entry.value.place()}});
      }
      return;
    }
    for (const Value& pair : value.list()) {
      const Value& from = pair.list().front();
      const Value& target = pair.list().back();
      to.push_back({{from.string(), from.place()}, {target.string(), target.place()}});
    }
  }
  static std::optional<Value> load(const std::vector<Rename>& from) {
    ValueList list;
    for (const Rename& pair : from) list.emplace_back(ValueList{Value(pair.from.value), Value(pair.to.value)});
    return Value(std::move(list));
  }
};

template <>
struct Codec<std::vector<Binding>> {
  static constexpr KeyKind kKind = KeyKind::bindings;
  static void store(std::vector<Binding>& to, const Value& value) {
    to.clear();
    for (const Entry& entry : value.table()) {
      Binding& binding = to.emplace_back();
      binding.port = {entry.key, entry.key_place};
      binding.is_list = entry.value.is(Value::Type::list);
      Codec<std::vector<Text>>::store(binding.taps, entry.value);
    }
  }
  static std::optional<Value> load(const std::vector<Binding>& from) {
    Value table;
    for (const Binding& binding : from) {
      const Value list = *Codec<std::vector<Text>>::load(binding.taps);
      table.set(binding.port.value, binding.is_list ? list : list.list().front());
    }
    return table;
  }
};

template <>
struct Codec<Value> {
  static constexpr KeyKind kKind = KeyKind::params;
  static void store(Value& to, const Value& value) { to = value; }
  static std::optional<Value> load(const Value& from) { return from; }
};

template <class T>
constexpr bool kIsOptional = false;
template <class T>
constexpr bool kIsOptional<std::optional<T>> = true;

/// The enumeration of a choice, as `Type`; none for other members.
template <class T>
struct Choice {};
template <class E>
requires std::is_enum_v<E>
struct Choice<Located<E>> {
  using Type = E;
};
template <class T>
struct Choice<std::optional<T>> : Choice<T> {};

/// The key just added, to be completed in the same statement.
class Added {
 public:
  explicit Added(Key& key) : key_(key) {}
  Added& at_least(double bound) { return key_.least = bound, *this; }
  Added& above(double bound) { return key_.least = bound, key_.above_least = true, *this; }
  Added& at_most(double bound) { return key_.most = bound, *this; }
  Added& below(double bound) { return key_.most = bound, key_.below_most = true, *this; }
  Added& unit(std::string_view unit) { return key_.unit = unit, *this; }
  Added& required() { return key_.required = true, *this; }
  /// What leaving the key out means.
  Added& absent(std::string_view meaning) { return key_.absent = meaning, *this; }
  Added& kind(KeyKind kind) { return key_.kind = kind, *this; }

 private:
  Key& key_;
};

/// From a struct to one of its members. The struct's own type is left out, so that what is generated for a member is
/// generated once for each type of member: the compiler's time for schema.cpp is spent here.
template <class Member>
using Access = Member& (*)(void*);

inline Key& add_key(TableSchema& schema, std::string_view name, KeyKind kind, std::string_view doc) {
  Key& key = schema.keys.emplace_back();
  key.name = name;
  key.kind = kind;
  key.doc = doc;
  return key;
}

// The accessors take a mutable struct; loading through them only reads.
template <class Member>
const Member& read(Access<Member> at, const void* owner) {
  return at(const_cast<void*>(owner));
}

template <class Member>
Added add_value(TableSchema& schema, std::string_view name, Access<Member> at, std::string_view doc) {
  Key& key = add_key(schema, name, Codec<Member>::kKind, doc);
  if constexpr (requires { typename Choice<Member>::Type; }) key.choices = choices_of(typename Choice<Member>::Type{});
  key.store = [at](void* owner, const Value& value) { Codec<Member>::store(at(owner), value); };
  key.load = [at](const void* owner) { return Codec<Member>::load(read(at, owner)); };
  return Added(key);
}

template <class Member>
Added add_table(TableSchema& schema, std::string_view name, Access<Member> at, const TableSchema& table) {
  Key& key = add_key(schema, name, KeyKind::table, table.doc);
  key.table = &table;
  key.clear = [at](void* owner) { at(owner) = Member{}; };
  key.append = [at](void* owner) -> void* {
    if constexpr (kIsOptional<Member>) {
      return &at(owner).emplace();
    } else {
      return &at(owner);
    }
  };
  key.items = [at](const void* owner) -> std::optional<std::vector<const void*>> {
    const Member& member = read(at, owner);
    if constexpr (kIsOptional<Member>) {
      if (!member) return std::nullopt;
      return std::vector<const void*>{&*member};
    } else {
      return std::vector<const void*>{&member};
    }
  };
  return Added(key);
}

template <class Member>
Added add_tables(TableSchema& schema, std::string_view name, Access<Member> at, const TableSchema& table) {
  Key& key = add_key(schema, name, KeyKind::tables, table.doc);
  key.table = &table;
  key.clear = [at](void* owner) {
    if constexpr (kIsOptional<Member>) {
      at(owner).emplace();
    } else {
      at(owner).clear();
    }
  };
  key.append = [at](void* owner) -> void* {
    if constexpr (kIsOptional<Member>) {
      return &at(owner)->emplace_back();
    } else {
      return &at(owner).emplace_back();
    }
  };
  key.items = [at](const void* owner) -> std::optional<std::vector<const void*>> {
    const Member& member = read(at, owner);
    std::vector<const void*> items;
    if constexpr (kIsOptional<Member>) {
      if (!member) return std::nullopt;
      for (const auto& item : *member) items.push_back(&item);
    } else {
      for (const auto& item : member) items.push_back(&item);
    }
    return items;
  };
  return Added(key);
}

/// Builds the schema of the table that fills a `Struct`. `get` is a lambda without captures from a `Struct` as void*
/// to the member (KDHOST_MEMBER).
template <class Struct>
class Table {
 public:
  Table(std::string_view title, std::string_view doc) {
    schema_.title = title;
    schema_.doc = doc;
    schema_.defaults = [] { return std::make_shared<const Struct>(); };
  }

  template <class Get>
  Added key(std::string_view name, Get get, std::string_view doc) {
    return add_value<MemberOf<Get>>(schema_, name, get, doc);
  }

  /// A key whose text form is not that of one member.
  Added special(std::string_view name, KeyKind kind, std::string_view doc, void (*store)(Struct&, const Value&),
                Value (*load)(const Struct&)) {
    Key& key = add_key(schema_, name, kind, doc);
    key.store = [store](void* owner, const Value& value) { store(*static_cast<Struct*>(owner), value); };
    key.load = [load](const void* owner) { return std::optional(load(*static_cast<const Struct*>(owner))); };
    return Added(key);
  }

  /// A key that is used up before the struct is filled: neither stored nor written.
  Added external(std::string_view name, KeyKind kind, std::string_view doc) {
    return Added(add_key(schema_, name, kind, doc));
  }

  /// A table: a struct, or an optional one.
  template <class Get>
  Added table(std::string_view name, Get get, const TableSchema& schema) {
    return add_table<MemberOf<Get>>(schema_, name, get, schema);
  }

  /// An array of tables: a vector, or an optional one.
  template <class Get>
  Added tables(std::string_view name, Get get, const TableSchema& schema) {
    return add_tables<MemberOf<Get>>(schema_, name, get, schema);
  }

  /// `use`, `params` and `path` of a struct with a member `component`.
  void component(const std::string& what, bool required) {
    Added use = key(
        "use", [](void* s) -> Text& { return of(s).use; }, "Full id of the " + what + ".");
    use.kind(KeyKind::id);
    if (required) use.required();
    key(
        "params", [](void* s) -> Value& { return of(s).params; },
        "Parameters of the " + what + "; `kdhost describe ID` lists them.");
    key(
        "path", [](void* s) -> std::optional<Path>& { return of(s).path; },
        "Plugin file or folder that the " + what + " is taken from.")
        .kind(KeyKind::path)
        .absent("the usual places are searched");
    located([](void* s) -> Place& { return of(s).place; });
  }

  void located(Access<Place> at) {
    schema_.locate = [at](void* owner, const Place& place) { at(owner) = place; };
  }

  TableSchema take() { return std::move(schema_); }

 private:
  template <class Get>
  using MemberOf = std::remove_reference_t<std::invoke_result_t<Get, void*>>;

  static auto& of(void* owner) { return static_cast<Struct*>(owner)->component; }

  TableSchema schema_;
};

}  // namespace kdhost::schema_builder
