// SPDX-License-Identifier: MIT
// The checks behind description.hpp. A plugin is code the user chose to run: these checks guard against accidents
// (another compiler flag, a forgotten field, memory that is gone), not against malice.
#include "plugin/description.hpp"

#include <algorithm>
#include <cstddef>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "plugin/parameters.hpp"

namespace kdhost {
namespace {

// Structs as ABI 1.0 had them: a plugin of that minor hands over no more, and none may hand over less.
constexpr std::uint64_t kPluginSize = offsetof(kdh_plugin, component_size) + sizeof(kdh_plugin::component_size);
constexpr std::uint64_t kComponentSize = offsetof(kdh_component, destroy) + sizeof(kdh_component::destroy);
constexpr std::uint64_t kParamSize = offsetof(kdh_param, n_choices) + sizeof(kdh_param::n_choices);
constexpr std::uint64_t kPortSize = offsetof(kdh_port, flags) + sizeof(kdh_port::flags);

// Far above any real plugin: larger numbers are memory read as a description.
constexpr std::uint64_t kMostElements = 4096;
constexpr std::uint64_t kLongestText = std::uint64_t{1} << 20U;
constexpr std::uint64_t kLargestStride = 4096;

// "type int"; "type 77" for a number that names none.
std::string type_words(kdh_type type) {
  const std::string name = param_type_name(type);
  return name.rfind("type ", 0) == 0 ? name : "type " + name;
}

class DescriptionReader {
 public:
  DescriptionReader(const kdh_plugin& plugin, const std::filesystem::path& file) : plugin_(plugin), file_(file) {}

  Record read(std::uint32_t accepted_minor) {
    check_frame(accepted_minor);
    Record record;
    record.abi_major = plugin_.abi_major;
    record.abi_minor = plugin_.abi_minor;
    record.tier = plugin_.tier;
    record.name = text(plugin_.name, "the plugin's name");
    record.version = text(plugin_.version, "the plugin's version");
    record.built_with = text(plugin_.built_with, "built_with");
    record.fingerprint = parse_fingerprint(text(plugin_.torch_fingerprint, "torch_fingerprint"));
    if (record.name.empty()) refuse("has no name");
    if (record.tier != KDH_TIER_PORTABLE && record.tier != KDH_TIER_EXACT) {
      refuse("has tier " + std::to_string(record.tier) + ", expected 1 (portable) or 3 (exact)");
    }
    array(plugin_.components, plugin_.n_components, plugin_.component_size, kComponentSize, "components");
    if (plugin_.n_components == 0) refuse("offers no component");
    std::set<std::string> ids;
    for (std::uint64_t i = 0; i < plugin_.n_components; ++i) {
      where_ = "component " + std::to_string(i);
      ComponentInfo info = component(element(plugin_.components, i, plugin_.component_size));
      if (!ids.insert(info.id).second) refuse("has an id that the same file offers twice");
      record.components.push_back(std::move(info));
    }
    record.lists_components = true;
    return record;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    Message message;
    message.where = printable(file_.string(), 4096);
    message.what =
        "has a faulty description: " + (where_.empty() ? std::string("the plugin") : where_) + " " + what + ".";
    message.mend = "This is a fault of the plugin; tell its author.";
    throw Error(Exit::plugin, std::move(message));
  }

  void check_frame(std::uint32_t accepted_minor) const {
    if (reinterpret_cast<std::uintptr_t>(&plugin_) % alignof(kdh_plugin) != 0) refuse("lies at an unaligned address");
    if (plugin_.magic != KDH_MAGIC) refuse("does not begin with the magic number of kdhost");
    if (plugin_.abi_major != KDH_ABI_MAJOR || plugin_.abi_minor > accepted_minor) {
      refuse("says ABI " + std::to_string(plugin_.abi_major) + "." + std::to_string(plugin_.abi_minor) +
             ", this program offers " + std::to_string(KDH_ABI_MAJOR) + "." + std::to_string(accepted_minor));
    }
    if (plugin_.struct_size < kPluginSize || plugin_.struct_size > kLargestStride) {
      refuse("has struct_size " + std::to_string(plugin_.struct_size) + ", expected at least " +
             std::to_string(kPluginSize));
    }
  }

  void array(const void* first, std::uint64_t count, std::uint64_t stride, std::uint64_t least,
             const std::string& what) const {
    if (count == 0) return;
    if (count > kMostElements) {
      refuse("has " + std::to_string(count) + " " + what + ", expected at most " + std::to_string(kMostElements));
    }
    if (first == nullptr) refuse("has " + std::to_string(count) + " " + what + " at a null pointer");
    if (stride < least || stride > kLargestStride || stride % alignof(std::uint64_t) != 0) {
      refuse("has " + what + " of " + std::to_string(stride) + " bytes each, expected at least " +
             std::to_string(least) + " and a multiple of 8");
    }
  }

  std::string text(kdh_str s, const std::string& what) const {
    if (s.size == 0) return {};
    if (s.size > kLongestText) refuse("has " + std::to_string(s.size) + " bytes of text as " + what);
    if (s.data == nullptr) refuse("has a null pointer as " + what);
    std::string out(s.data, s.size);
    if (!is_clean_text(out)) refuse("has text that is not UTF-8, or has control characters, as " + what);
    return out;
  }

  ComponentInfo component(const kdh_component& c) {
    ComponentInfo info;
    info.id = text(c.id, "id");
    if (!is_component_id(info.id)) {
      refuse("has the id " + kdhost::quoted(info.id) +
             ", expected letters, digits, '_' or '-' in parts joined by dots, as "
             "in 'author.name'");
    }
    where_ = "component " + kdhost::quoted(info.id);
    info.kind = c.kind;
    if (c.kind < KDH_KIND_LOSS || c.kind > KDH_KIND_METRIC) refuse("is of the unknown kind " + std::to_string(c.kind));
    info.flags = c.flags;
    info.version = text(c.version, "version");
    info.summary = text(c.summary, "summary");
    info.source = text(c.source, "source");
    info.details = text(c.details, "details");
    info.recipe = text(c.recipe, "recipe");
    if (c.create == nullptr) refuse("has no function create");
    if (c.destroy == nullptr) refuse("has no function destroy");
    array(c.params, c.n_params, c.param_size, kParamSize, "parameters");
    for (std::uint64_t i = 0; i < c.n_params; ++i) add_param(info, element(c.params, i, c.param_size));
    array(c.inputs, c.n_inputs, c.port_size, kPortSize, "inputs");
    array(c.outputs, c.n_outputs, c.port_size, kPortSize, "outputs");
    for (std::uint64_t i = 0; i < c.n_inputs; ++i) add_port(info.inputs, element(c.inputs, i, c.port_size));
    for (std::uint64_t i = 0; i < c.n_outputs; ++i) add_port(info.outputs, element(c.outputs, i, c.port_size));
    return info;
  }

  void add_param(ComponentInfo& component, const kdh_param& p) const {
    ParamInfo info;
    info.name = text(p.name, "the name of a parameter");
    const std::string what = "parameter " + kdhost::quoted(info.name);
    if (!is_name(info.name, false)) refuse("has " + what + ", expected a name of letters, digits and '_'");
    if (component.param(info.name) != nullptr) refuse("has " + what + " twice");
    info.doc = text(p.doc, "the documentation of " + what);
    info.type = p.type;
    if (p.type != KDH_T_INT && p.type != KDH_T_FLOAT && p.type != KDH_T_BOOL && p.type != KDH_T_STRING &&
        !info.is_list()) {
      refuse("has " + what + " of " + type_words(p.type) + ", which a parameter cannot have");
    }
    info.required = (p.flags & KDH_PARAM_REQUIRED) != 0;
    info.schedulable = (p.flags & KDH_PARAM_SCHEDULABLE) != 0;
    info.is_path = (p.flags & KDH_PARAM_PATH) != 0;
    info.min_exclusive = (p.flags & KDH_PARAM_MIN_EXCLUSIVE) != 0;
    info.max_exclusive = (p.flags & KDH_PARAM_MAX_EXCLUSIVE) != 0;
    info.min = p.min;
    info.max = p.max;
    if (info.schedulable && !info.is_number()) refuse("has " + what + " marked schedulable, but it is no number");
    if (info.is_path && info.type != KDH_T_STRING) refuse("has " + what + " marked as a path, but it is no text");
    if (p.n_choices > kMostElements) refuse("has " + std::to_string(p.n_choices) + " choices for " + what);
    if (p.n_choices > 0 && p.choices == nullptr) refuse("has choices at a null pointer for " + what);
    for (std::uint64_t i = 0; i < p.n_choices; ++i) info.choices.push_back(text(p.choices[i], "a choice of " + what));
    info.default_value = default_value(p, what);
    if (info.required && info.default_value) refuse("has " + what + " both required and with a default");
    if (info.default_value) {
      std::vector<Message> problems;
      if (!check_parameter(component, info, *info.default_value, problems)) {
        std::string rule = problems.front().expected;  // a sentence of its own
        if (rule.ends_with('.')) rule.pop_back();
        refuse("has " + what + " with the default " + to_toml(*info.default_value) +
               ", which its own rules refuse: " + rule);
      }
    }
    component.params.push_back(std::move(info));
  }

  std::optional<Value> default_value(const kdh_param& p, const std::string& what) const {
    const kdh_value& v = p.default_value;
    if (v.type == KDH_T_NONE) return std::nullopt;
    if (v.type != p.type) {
      refuse("has " + what + " of type " + param_type_name(p.type) + " with a default of type " +
             param_type_name(v.type));
    }
    const bool has_elements =
        v.type == KDH_T_STRING || v.type == KDH_T_INT_LIST || v.type == KDH_T_FLOAT_LIST || v.type == KDH_T_STRING_LIST;
    if (has_elements && v.count > kLongestText) refuse("has " + what + " with a default of absurd length");
    if (has_elements && v.count > 0 && v.u.s == nullptr) refuse("has " + what + " with a default at a null pointer");
    ValueList list;
    switch (v.type) {
      case KDH_T_INT:
        return Value(v.u.i);
      case KDH_T_FLOAT:
        return Value(v.u.f);
      case KDH_T_BOOL:
        return Value(v.u.i != 0);
      case KDH_T_STRING:
        return Value(text({v.u.s, v.count}, "the default of " + what));
      case KDH_T_INT_LIST:
        for (std::uint64_t i = 0; i < v.count; ++i) list.emplace_back(v.u.ints[i]);
        return Value(std::move(list));
      case KDH_T_FLOAT_LIST:
        for (std::uint64_t i = 0; i < v.count; ++i) list.emplace_back(v.u.floats[i]);
        return Value(std::move(list));
      default:
        for (std::uint64_t i = 0; i < v.count; ++i) {
          list.emplace_back(text(v.u.strings[i], "the default of " + what));
        }
        return Value(std::move(list));
    }
  }

  void add_port(std::vector<PortInfo>& ports, const kdh_port& p) const {
    PortInfo info;
    info.name = text(p.name, "the name of a port");
    const std::string what = "port " + kdhost::quoted(info.name);
    if (!is_name(info.name, true)) refuse("has " + what + ", expected letters, digits and '_' in parts joined by dots");
    if (std::any_of(ports.begin(), ports.end(), [&](const PortInfo& o) { return o.name == info.name; })) {
      refuse("has " + what + " twice");
    }
    if (p.type != KDH_T_TENSOR && p.type != KDH_T_TENSOR_LIST) {
      refuse("has " + what + " of " + type_words(p.type) + ", expected tensor or tensor_list");
    }
    info.is_list = p.type == KDH_T_TENSOR_LIST;
    info.optional = (p.flags & KDH_PORT_OPTIONAL) != 0;
    info.doc = text(p.doc, "the documentation of " + what);
    ports.push_back(std::move(info));
  }

  static bool is_name(const std::string& name, bool dots) {
    if (name.empty() || name.size() > 200 || name.front() == '.' || name.back() == '.') return false;
    return std::all_of(name.begin(), name.end(), [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             (dots && c == '.');
    });
  }

  const kdh_plugin& plugin_;
  const std::filesystem::path& file_;
  std::string where_;
};

std::string list_ids(const Record& record) {
  std::vector<std::string> ids;
  for (const ComponentInfo& component : record.components) ids.push_back(component.id);
  return ids.empty() ? "none" : join(ids);
}

}  // namespace

Record read_description(const kdh_plugin& plugin, const std::filesystem::path& file, std::uint32_t accepted_minor) {
  return DescriptionReader(plugin, file).read(accepted_minor);
}

void compare_with_record(const Record& live, const Record& record, const std::filesystem::path& file) {
  const auto differ = [&](const std::string& what, const std::string& in_record, const std::string& in_code) {
    Message message;
    message.where = printable(file.string(), 4096);
    message.what = "contradicts its own record: " + what + " is " + kdhost::quoted(in_record) + " in the record, " +
                   kdhost::quoted(in_code) + " in the code.";
    message.mend = "Build the plugin again with kdhost_add_plugin.";
    throw Error(Exit::plugin, std::move(message));
  };
  const auto abi = [](const Record& r) { return std::to_string(r.abi_major) + "." + std::to_string(r.abi_minor); };
  if (abi(live) != abi(record)) differ("the ABI", abi(record), abi(live));
  if (live.tier != record.tier) differ("the tier", tier_name(record.tier), tier_name(live.tier));
  if (live.name != record.name) differ("the name", record.name, live.name);
  if (live.version != record.version) differ("the version", record.version, live.version);
  if (live.fingerprint != record.fingerprint && record.tier == KDH_TIER_EXACT) {
    differ("the LibTorch fingerprint", record.fingerprint_text(), live.fingerprint_text());
  }
  if (!record.lists_components) return;
  if (list_ids(live) != list_ids(record)) differ("the list of components", list_ids(record), list_ids(live));
  for (const ComponentInfo& recorded : record.components) {
    const ComponentInfo& found = *live.component(recorded.id);
    const std::string whose = " of '" + recorded.id + "'";
    if (found.kind != recorded.kind) differ("the kind" + whose, kind_name(recorded.kind), kind_name(found.kind));
    if (!recorded.complete) continue;
    const auto signature = [](const ComponentInfo& c) {
      std::vector<std::string> parts;
      for (const ParamInfo& p : c.params) parts.push_back(p.name + ": " + param_type_name(p.type));
      for (const PortInfo& p : c.inputs) parts.push_back(p.name);
      return join(parts);
    };
    if (signature(found) != signature(recorded)) {
      differ("parameters and ports" + whose, signature(recorded), signature(found));
    }
  }
}

}  // namespace kdhost
