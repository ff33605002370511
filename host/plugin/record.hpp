// SPDX-License-Identifier: MIT
// What a plugin says about itself, as plain C++ values. The same structs are filled from the text record in the
// plugin's file (before any of its code runs, this header) and from its live description (description.hpp), so
// that listing, describing and parameter checks need not care which of the two they look at.
#pragma once

#include <kdhost/abi.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/value.hpp"

namespace kdhost {

/// One parameter of a component.
struct ParamInfo {
  std::string name{};
  std::string doc{};
  kdh_type type = KDH_T_FLOAT;
  bool required = false;
  bool schedulable = false;
  bool is_path = false;  ///< text that check_parameters makes absolute
  bool min_exclusive = false;
  bool max_exclusive = false;
  /// Absent: required, or "absent" is a value of its own.
  std::optional<Value> default_value{};
  /// Bounds of a number or of each element; NaN: unbounded.
  double min = std::numeric_limits<double>::quiet_NaN();
  double max = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::string> choices{};

  bool is_list() const { return type == KDH_T_INT_LIST || type == KDH_T_FLOAT_LIST || type == KDH_T_STRING_LIST; }
  /// A single number: only these can be driven by a schedule.
  bool is_number() const { return type == KDH_T_INT || type == KDH_T_FLOAT; }
};

/// One input or output of a component.
struct PortInfo {
  std::string name{};
  std::string doc{};
  bool is_list = false;
  bool optional = false;

  /// "student" of "student.logits".
  std::string side() const { return name.substr(0, name.find('.')); }
};

/// One component.
struct ComponentInfo {
  kdh_kind kind = KDH_KIND_LOSS;
  std::uint32_t flags = 0;
  std::string id{};
  std::string version{};
  std::string summary{};
  std::string source{};
  std::string details{};
  std::string recipe{};
  std::vector<ParamInfo> params{};
  std::vector<PortInfo> inputs{};
  std::vector<PortInfo> outputs{};
  /// False where the record had no room for parameters and ports; then only the live description knows them.
  bool complete = true;

  const ParamInfo* param(std::string_view name) const;
  const PortInfo* input(std::string_view name) const;
};

/// "loss", "model", ... ; "kind 9" for an unknown number.
std::string kind_name(kdh_kind kind);
/// "an integer", "a list of strings", ...: for messages.
std::string param_type_words(kdh_type type);
/// "int", "float_list", ...: as in the record and in JSON.
std::string param_type_name(kdh_type type);
/// The range of a parameter as text, "> 0", "0 ... 1", "one of: a, b"; empty where everything is allowed.
std::string range_words(const ParamInfo& param);

/// A whole plugin.
struct Record {
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  kdh_tier tier = KDH_TIER_PORTABLE;
  std::string name{};
  std::string version{};
  std::string built_with{};
  /// "torch=2.13.0 cxx11abi=1 cuda=none" in keys and values, in the plugin's order; empty for portable plugins.
  std::vector<std::pair<std::string, std::string>> fingerprint{};
  std::vector<ComponentInfo> components{};
  /// False for a plugin built without the recorder: its components are known only after it was loaded.
  bool lists_components = true;

  const ComponentInfo* component(std::string_view id) const;
  std::string fingerprint_text() const;
};

/// "portable" or "exact".
std::string tier_name(kdh_tier tier);

/// Takes "a=1 b=2" apart.
std::vector<std::pair<std::string, std::string>> parse_fingerprint(std::string_view text);

/// Parses the record's text. Throws Error (exit 5) in the name of `file` where it is malformed.
Record parse_record(std::string_view text, const std::filesystem::path& file);

/// Reads the record from the ELF file without loading it. Every refusal (not readable, not ELF, cut, another
/// architecture, not a shared library, no record, malformed) is an Error with exit 5.
Record read_record(const std::filesystem::path& file);

/// True for text the host accepts as a component id: parts of letters, digits, '_' or '-', joined by at least one dot.
bool is_component_id(std::string_view text);
/// True for well-formed UTF-8 without control characters other than newline and tab.
bool is_clean_text(std::string_view text);

}  // namespace kdhost
