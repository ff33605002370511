// SPDX-License-Identifier: MIT
// How config/schema.cpp writes its tables: each line names a key and the member it fills, and the member's type
// decides kind, reading and writing. Included by schema.cpp only. Part of host/config.
#pragma once

#include <cmath>
#include <memory>
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
  Added& unit(std::string unit) { return key_.unit = std::move(unit), *this; }
  Added& required() { return key_.required = true, *this; }
  /// What leaving the key out means.
  Added& absent(std::string meaning) { return key_.absent = std::move(meaning), *this; }
  Added& kind(KeyKind kind) { return key_.kind = kind, *this; }

 private:
  Key& key_;
};

/// Builds the schema of the table that fills a `Struct`. `get` is a function from Struct& to the member.
template <class Struct>
class Table {
 public:
  Table(std::string title, std::string doc) {
    schema_.title = std::move(title);
    schema_.doc = std::move(doc);
    schema_.defaults = [] { return std::make_shared<const Struct>(); };
  }

  template <class Get>
  Added key(std::string name, Get get, std::string doc) {
    using Member = std::remove_cvref_t<std::invoke_result_t<Get, Struct&>>;
    Key& key = add(std::move(name), Codec<Member>::kKind, std::move(doc));
    if constexpr (requires { typename Choice<Member>::Type; })
      key.choices = choices_of(typename Choice<Member>::Type{});
    key.store = [get](void* owner, const Value& value) { Codec<Member>::store(get(as_struct(owner)), value); };
    key.load = [get](const void* owner) { return Codec<Member>::load(get(as_struct(owner))); };
    return Added(key);
  }

  /// A key whose text form is not that of one member.
  Added special(std::string name, KeyKind kind, std::string doc, void (*store)(Struct&, const Value&),
                Value (*load)(const Struct&)) {
    Key& key = add(std::move(name), kind, std::move(doc));
    key.store = [store](void* owner, const Value& value) { store(as_struct(owner), value); };
    key.load = [load](const void* owner) { return std::optional(load(as_struct(owner))); };
    return Added(key);
  }

  /// A key that is used up before the struct is filled: neither stored nor written.
  Added external(std::string name, KeyKind kind, std::string doc) {
    return Added(add(std::move(name), kind, std::move(doc)));
  }

  /// A table: a struct, or an optional one.
  template <class Get>
  Added table(std::string name, Get get, const TableSchema& schema) {
    using Member = std::remove_cvref_t<std::invoke_result_t<Get, Struct&>>;
    Key& key = add(std::move(name), KeyKind::table, schema.doc);
    key.table = &schema;
    key.clear = [get](void* owner) { get(as_struct(owner)) = Member{}; };
    key.append = [get](void* owner) -> void* {
      Member& member = get(as_struct(owner));
      if constexpr (kIsOptional<Member>) {
        return &member.emplace();
      } else {
        return &member;
      }
    };
    key.items = [get](const void* owner) -> std::optional<std::vector<const void*>> {
      const Member& member = get(as_struct(owner));
      if constexpr (kIsOptional<Member>) {
        if (!member) return std::nullopt;
        return std::vector<const void*>{&*member};
      } else {
        return std::vector<const void*>{&member};
      }
    };
    return Added(key);
  }

  /// An array of tables: a vector, or an optional one.
  template <class Get>
  Added tables(std::string name, Get get, const TableSchema& schema) {
    using Member = std::remove_cvref_t<std::invoke_result_t<Get, Struct&>>;
    Key& key = add(std::move(name), KeyKind::tables, schema.doc);
    key.table = &schema;
    const auto vector_of = [get](void* owner) -> auto& {
      if constexpr (kIsOptional<Member>) {
        return *get(as_struct(owner));
      } else {
        return get(as_struct(owner));
      }
    };
    key.clear = [get](void* owner) {
      Member& member = get(as_struct(owner));
      if constexpr (kIsOptional<Member>) {
        member.emplace();
      } else {
        member.clear();
      }
    };
    key.append = [vector_of](void* owner) -> void* { return &vector_of(owner).emplace_back(); };
    key.items = [get](const void* owner) -> std::optional<std::vector<const void*>> {
      const Member& member = get(as_struct(owner));
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

  /// `use`, `params` and `path` of a struct with a member `component`.
  void component(const std::string& what, bool required) {
    auto use = key(
        "use", [](Struct& s) -> Text& { return s.component.use; }, "Full id of the " + what + ".");
    use.kind(KeyKind::id);
    if (required) use.required();
    key(
        "params", [](Struct& s) -> Value& { return s.component.params; },
        "Parameters of the " + what + "; `kdhost describe ID` lists them.");
    key(
        "path", [](Struct& s) -> std::optional<Path>& { return s.component.path; },
        "Plugin file or folder that the " + what + " is taken from.")
        .kind(KeyKind::path)
        .absent("the usual places are searched");
    located([](Struct& s) -> Place& { return s.component.place; });
  }

  template <class Get>
  void located(Get get) {
    schema_.locate = [get](void* owner, const Place& place) { get(as_struct(owner)) = place; };
  }

  TableSchema take() { return std::move(schema_); }

 private:
  static Struct& as_struct(void* owner) { return *static_cast<Struct*>(owner); }
  // The accessors take a mutable struct; loading through them only reads.
  static Struct& as_struct(const void* owner) { return *static_cast<Struct*>(const_cast<void*>(owner)); }

  Key& add(std::string name, KeyKind kind, std::string doc) {
    Key& key = schema_.keys.emplace_back();
    key.name = std::move(name);
    key.kind = kind;
    key.doc = std::move(doc);
    return key;
  }

  TableSchema schema_;
};

}  // namespace kdhost::schema_builder
