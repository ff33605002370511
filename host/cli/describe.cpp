// SPDX-License-Identifier: MIT
// kdhost describe ID: what a component is, takes and computes, and the lines of TOML that use it.
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/text.hpp"
#include "cli/front.hpp"

namespace kdhost {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kWidth = 100;

// Words of one paragraph in lines of at most kWidth columns; lines that are indented already (formulas) stay.
void print_text(std::ostream& out, const std::string& text, const std::string& indent) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == ' ') {
      out << (line.empty() ? "" : indent) << line << "\n";
      continue;
    }
    std::istringstream words(line);
    std::string row;
    for (std::string word; words >> word;) {
      if (!row.empty() && indent.size() + row.size() + 1 + word.size() > kWidth) {
        out << indent << row << "\n";
        row.clear();
      }
      row += (row.empty() ? "" : " ") + word;
    }
    out << indent << row << "\n";
  }
}

std::string type_words(const ParamInfo& param) {
  std::string out = param_type_words(param.type);
  const std::string range = range_words(param);
  return range.empty() ? out : out + ", " + range;
}

std::string default_words(const ParamInfo& param) {
  if (param.default_value) return "default " + to_toml(*param.default_value);
  return param.required ? "required" : "optional";
}

// The lines that use the component, with its defaults written out.
std::string snippet(const ComponentInfo& component) {
  if (!component.recipe.empty()) return component.recipe;
  std::string params;
  for (const ParamInfo& param : component.params) {
    if (!param.default_value && !param.required) continue;
    params += (params.empty() ? "" : ", ") + toml_key(param.name) + " = " +
              (param.default_value ? to_toml(*param.default_value) : "...");
  }
  std::string inputs;
  for (const PortInfo& port : component.inputs) {
    const bool bound_by_itself = port.side() == "batch" || (port.name == port.side() + ".logits" && !port.is_list);
    if (bound_by_itself || port.optional || component.kind != KDH_KIND_LOSS) continue;
    inputs += (inputs.empty() ? "" : ", ") + std::string("\"") + port.name +
              "\" = " + (port.is_list ? "[\"TAP\"]" : "\"TAP\"");
  }
  std::string head;
  switch (component.kind) {
    case KDH_KIND_LOSS:
      head = "[[loss]]\n";
      break;
    case KDH_KIND_MODEL:
      head = "[student]\n";
      break;
    case KDH_KIND_SCHEDULER:
      head = "[[schedule]]\ntarget = \"optimizer.lr\"\n";
      break;
    case KDH_KIND_DATASET:
      head = "[data]\n";
      break;
    case KDH_KIND_TRANSFORM:
      head = "[[data.transform]]\n";
      break;
    default:
      head = "[[metric]]\n";
      break;
  }
  head += "use = \"" + component.id + "\"\n";
  if (component.kind == KDH_KIND_LOSS) head += "weight = 1.0\n";
  if (!params.empty()) head += "params = { " + params + " }\n";
  if (!inputs.empty()) head += "inputs = { " + inputs + " }\n";
  return head;
}

void print_ports(std::ostream& out, const char* title, const std::vector<PortInfo>& ports) {
  if (ports.empty()) return;
  std::size_t width = 0;
  for (const PortInfo& port : ports) width = std::max(width, port.name.size());
  out << "\n" << title << "\n";
  for (const PortInfo& port : ports) {
    out << "  " << padded(port.name, width);
    if (port.is_list) out << "  list";
    if (port.optional) out << "  optional";
    if (!port.doc.empty()) out << "  " << port.doc;
    out << "\n";
  }
}

void print(std::ostream& out, const PluginFile& file, const ComponentInfo& component) {
  out << component.id << " " << component.version << ": " << kind_name(component.kind) << "\n";
  if (!component.summary.empty()) print_text(out, component.summary, "  ");
  const Record& record = file.library != nullptr ? file.library->record() : *file.record;
  out << "  from " << file.path.string() << " (" << record.name << " " << record.version << ", "
      << tier_name(record.tier) << ")\n";
  if (!component.complete) {
    out << "\nIts record has no room for parameters and ports; `kdhost check` loads the plugin and knows them.\n";
  }
  if (!component.params.empty()) {
    out << "\nParameters\n";
    std::size_t width = 0;
    for (const ParamInfo& param : component.params) width = std::max(width, param.name.size());
    for (const ParamInfo& param : component.params) {
      out << "  " << padded(param.name, width) << "  " << type_words(param) << "; " << default_words(param)
          << (param.schedulable ? "; schedulable" : "") << (param.is_path ? "; a path" : "") << "\n";
      if (!param.doc.empty()) print_text(out, param.doc, "  " + std::string(width, ' ') + "  ");
    }
  }
  print_ports(out, component.kind == KDH_KIND_LOSS ? "Ports" : "Inputs", component.inputs);
  print_ports(out, "Outputs", component.outputs);
  if (!component.details.empty()) {
    out << "\nDetails\n";
    print_text(out, component.details, "  ");
  }
  if (!component.source.empty()) {
    out << "\nSource\n";
    print_text(out, component.source, "  ");
  }
  out << "\nIn an experiment file\n";
  std::istringstream lines(snippet(component));
  for (std::string line; std::getline(lines, line);) out << "  " << line << "\n";
}

Json value_json(const Value& value) {
  switch (value.type()) {
    case Value::Type::boolean:
      return value.boolean();
    case Value::Type::integer:
      return value.integer();
    case Value::Type::number:
      // JSON has no infinity: it is written as text.
      return std::isfinite(value.number()) ? Json(value.number()) : Json(shortest(value.number()));
    case Value::Type::string:
      return value.string();
    default: {
      Json list = Json::array();
      for (const Value& element : value.list()) list.push_back(value_json(element));
      return list;
    }
  }
}

Json param_json(const ParamInfo& param) {
  Json out{{"name", param.name}, {"type", param_type_name(param.type)}};
  if (param.default_value) out["default"] = value_json(*param.default_value);
  out["required"] = param.required;
  out["schedulable"] = param.schedulable;
  out["path"] = param.is_path;
  if (!std::isnan(param.min)) out[param.min_exclusive ? "exclusive_minimum" : "minimum"] = param.min;
  if (!std::isnan(param.max)) out[param.max_exclusive ? "exclusive_maximum" : "maximum"] = param.max;
  if (!param.choices.empty()) out["choices"] = param.choices;
  out["doc"] = param.doc;
  return out;
}

Json ports_json(const std::vector<PortInfo>& ports) {
  Json out = Json::array();
  for (const PortInfo& port : ports) {
    out.push_back({{"name", port.name}, {"list", port.is_list}, {"optional", port.optional}, {"doc", port.doc}});
  }
  return out;
}

Json to_json(const PluginFile& file, const ComponentInfo& component) {
  Json out{{"id", component.id},
           {"kind", kind_name(component.kind)},
           {"version", component.version},
           {"summary", component.summary},
           {"source", component.source},
           {"details", component.details},
           {"snippet", snippet(component)},
           {"file", file.path.string()}};
  out["params"] = Json::array();
  for (const ParamInfo& param : component.params) out["params"].push_back(param_json(param));
  out["inputs"] = ports_json(component.inputs);
  out["outputs"] = ports_json(component.outputs);
  return out;
}

}  // namespace

int describe_component(const Options& options) {
  Registry registry(front_abi(), plugin_places(options));
  for (const Error& problem : registry.problems()) throw problem;
  Place place;
  place.file = "kdhost describe";
  const Offer& offer = registry.find(options.arguments.front(), place);
  if (options.json) {
    std::cout << to_json(*offer.file, offer.info).dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    print(std::cout, *offer.file, offer.info);
  }
  return 0;
}

}  // namespace kdhost
