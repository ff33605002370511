// SPDX-License-Identifier: MIT
// kdhost plugins: what is installed, from which file. Reads records only and never runs plugin code.
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/front.hpp"

namespace kdhost {
namespace {

using Json = nlohmann::ordered_json;

// "has no plugin record ... If it is one, ..." on one line: the file stands before it anyway.
std::string reason(const Error& refusal) {
  const Message& message = refusal.messages().front();
  std::string text = message.what;
  for (const std::string& part : {message.expected, message.mend}) {
    if (!part.empty()) text += " " + part;
  }
  return text;
}

std::string abi_of(const Record& record) {
  return std::to_string(record.abi_major) + "." + std::to_string(record.abi_minor);
}

Json component_json(const Registry& registry, const PluginFile& file, const ComponentInfo& component) {
  Json out{{"id", component.id},
           {"kind", kind_name(component.kind)},
           {"version", component.version},
           {"summary", component.summary}};
  if (const PluginFile* winner = registry.shadowed_by(file, component.id)) out["shadowed_by"] = winner->path.string();
  if (const PluginFile* other = registry.clash(file, component.id)) out["also_in"] = other->path.string();
  return out;
}

Json file_json(const Registry& registry, const PluginFile& file) {
  const SearchPlace& place = registry.places()[file.place];
  Json out{{"file", file.path.string()}, {"found", origin_words(place.origin)}, {"place", place.path.string()}};
  if (file.record) {
    out["name"] = file.record->name;
    out["version"] = file.record->version;
    out["tier"] = tier_name(file.record->tier);
    out["abi"] = abi_of(*file.record);
    out["built_with"] = file.record->built_with;
    if (!file.record->fingerprint.empty()) out["torch_fingerprint"] = file.record->fingerprint_text();
    out["lists_components"] = file.record->lists_components;
  }
  if (file.refusal) out["refused"] = reason(*file.refusal);
  if (!file.other_names.empty()) {
    for (const auto& name : file.other_names) out["other_names"].push_back(name.string());
  }
  out["components"] = Json::array();
  for (const ComponentInfo& component : file.components()) {
    out["components"].push_back(component_json(registry, file, component));
  }
  return out;
}

void print_components(std::ostream& out, const Registry& registry, const PluginFile& file) {
  std::size_t id_width = 0;
  for (const ComponentInfo& component : file.components()) id_width = std::max(id_width, component.id.size());
  for (const ComponentInfo& component : file.components()) {
    out << "    " << padded(kind_name(component.kind), 9) << "  " << padded(component.id, id_width) << "  "
        << padded(component.version, 5) << "  " << component.summary << "\n";
    if (const PluginFile* winner = registry.shadowed_by(file, component.id)) {
      out << "      not used: shadowed by " << winner->path.string() << "\n";
    }
    if (const PluginFile* other = registry.clash(file, component.id)) {
      out << "      not used: " << other->path.string() << " offers the same id\n";
    }
  }
}

void print_file(std::ostream& out, const Registry& registry, const PluginFile& file, bool verbose) {
  const std::filesystem::path inside = file.path.lexically_relative(registry.places()[file.place].path);
  out << "  " << (inside == "." ? file.path.filename() : inside).string();
  if (file.record) {
    const Record& record = *file.record;
    out << "  " << record.name << " " << record.version << ", " << tier_name(record.tier) << "\n";
    if (verbose) {
      out << "    ABI " << abi_of(record) << ", built with " << record.built_with << "\n";
      if (!record.fingerprint.empty()) out << "    " << record.fingerprint_text() << "\n";
    }
  } else {
    out << "\n";
  }
  if (verbose) {
    if (file.record) out << "    XXH3-128 " << plugin_hash(file) << "\n";
    for (const auto& name : file.other_names) out << "    also called " << name.string() << "\n";
  }
  if (file.refusal) out << "    refused: " << reason(*file.refusal) << "\n";
  if (!file.refusal && !file.record->lists_components) {
    out << "    built without a list of its components; they are known once it is loaded\n";
  }
  print_components(out, registry, file);
}

}  // namespace

int list_plugins(const Options& options) {
  const Registry registry(front_abi(), plugin_places(options));
  // A refused file is part of the list; a folder that does not exist is a mistake.
  for (const Error& problem : registry.problems()) {
    if (problem.exit() == Exit::usage) throw problem;
  }
  if (options.json) {
    Json out = Json::array();
    for (const PluginFile& file : registry.files()) {
      out.push_back(file_json(registry, file));
      if (options.verbose && file.record) out.back()["xxh3_128"] = plugin_hash(file);
    }
    // Names of files and other texts may hold bytes that are not UTF-8.
    std::cout << out.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return 0;
  }
  for (std::size_t i = 0; i < registry.places().size(); ++i) {
    const SearchPlace& place = registry.places()[i];
    std::cout << origin_words(place.origin) << ": " << place.path.string() << "\n";
    bool any = false;
    for (const PluginFile& file : registry.files()) {
      if (file.place != i) continue;
      print_file(std::cout, registry, file, options.verbose);
      any = true;
    }
    if (!any) std::cout << "  no plugin\n";
  }
  return 0;
}

}  // namespace kdhost
