// SPDX-License-Identifier: MIT
// The one definition of every key of the experiment file: name, kind, default, range, choices, unit and meaning.
// Checking a file, writing resolved.toml and the JSON Schema for editors are all walks over these tables; a new key
// is a member in config/experiment.hpp and one line in config/schema.cpp. Part of host/config.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/experiment.hpp"
#include "config/value.hpp"

namespace kdhost {

struct TableSchema;

/// What a key holds.
enum class KeyKind {
  boolean,
  integer,
  number,
  string,
  id,           ///< full id of a component
  name,         ///< letters, digits, '_' and '-': may stand in a target
  path,         ///< relative to the file that contains it
  choice,       ///< one of `choices`
  integers,     ///< a list of integers
  strings,      ///< a list of strings; one string stands for a list of one
  paths,        ///< the same with paths
  number_pair,  ///< a list of two numbers
  pairs,        ///< a list of [from, to] or a table from = to
  params,       ///< parameters of a component, checked by the plugin layer
  bindings,     ///< `inputs`: port = tap or list of taps
  table,
  tables,           ///< an array of tables
  table_or_tables,  ///< one table or an array of them
};

/// One key of a table.
struct Key {
  std::string name{};
  KeyKind kind = KeyKind::boolean;
  /// One sentence.
  std::string doc{};
  /// "samples", "epochs", ...; empty where the number has none.
  std::string unit{};
  std::optional<double> least{};
  std::optional<double> most{};
  /// The bound itself is not allowed.
  bool above_least = false;
  bool below_most = false;
  std::vector<std::string> choices{};
  bool required = false;
  /// What happens where the key is left out and has no default; empty where it has one.
  std::string absent{};
  /// Of table, tables and table_or_tables; a pointer to a table that lives as long as the program.
  const TableSchema* table = nullptr;

  /// Writes a checked value into the struct `owner`.
  std::function<void(void* owner, const Value& value)> store{};
  /// The value in the struct; nothing where it is absent.
  std::function<std::optional<Value>(const void* owner)> load{};
  /// Of tables: makes the list present and empty; then each append adds an element and returns it. Of one table:
  /// append makes it present and returns it.
  std::function<void(void* owner)> clear{};
  std::function<void*(void* owner)> append{};
  /// Of tables: the structs to write; nothing where the whole list is absent (inherited).
  std::function<std::optional<std::vector<const void*>>(const void* owner)> items{};

  bool is_table() const { return table != nullptr; }
  /// "an integer, at least 1", "one of fp32, bf16, fp64": completes "Expected ...". Bounds that nobody meets by
  /// accident are named only where `all_bounds` asks for them.
  std::string expectation(bool all_bounds = false) const;
};

/// One table of the file.
struct TableSchema {
  /// "[data]", "[[loss]]"; empty for the top level.
  std::string title{};
  std::string doc{};
  /// In the order resolved.toml is written.
  std::vector<Key> keys{};
  /// Tells the struct where its table begins; may be empty.
  std::function<void(void* owner, const Place& place)> locate{};
  /// A struct of this table with every default.
  std::function<std::shared_ptr<const void>()> defaults{};

  const Key* find(const std::string& name) const;
  std::vector<std::string> names() const;
};

/// The whole file; its struct is Experiment.
const TableSchema& experiment_schema();

/// A JSON Schema (draft 7) of the whole file, for editors. Ends with a newline.
std::string json_schema();

}  // namespace kdhost
