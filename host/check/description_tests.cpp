// SPDX-License-Identifier: MIT
// Level 3 of the validator: what the plugin says about itself. That ids, types, texts and defaults are well formed at
// all is found when the description is read (load.description).
#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "base/text.hpp"
#include "check/suite.hpp"

namespace kdhost::check {
namespace {

// 1.2.3, with "-alpha.1" and "+build" allowed behind it.
bool is_semantic_version(const std::string& text) {
  std::size_t at = 0;
  for (int part = 0; part < 3; ++part) {
    const std::size_t begin = at;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) ++at;
    if (at == begin || (at - begin > 1 && text[begin] == '0')) return false;
    if (part == 2) break;
    if (at >= text.size() || text[at] != '.') return false;
    ++at;
  }
  if (at == text.size()) return true;
  if (text[at] != '-' && text[at] != '+') return false;
  return at + 1 < text.size() &&
         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at) + 1, text.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '+'; });
}

Finding bad_version(const std::string& whose, const std::string& version) {
  return failed(whose + " has the version " + kdhost::quoted(version) + ".",
                "Write a semantic version such as 1.0.0: results are recorded with it.");
}

Finding test_plugin_version(Subject& subject, const ComponentInfo*) {
  const Record& record = subject.library().record();
  return is_semantic_version(record.version) ? passed() : bad_version("the plugin", record.version);
}

Finding test_version(Subject&, const ComponentInfo* info) {
  return is_semantic_version(info->version) ? passed() : bad_version("it", info->version);
}

Finding test_documented(Subject&, const ComponentInfo* info) {
  if (info->summary.empty()) {
    return failed("has no summary.", "Describe it in one line with Spec::summary; `kdhost plugins` shows it.");
  }
  std::vector<std::string> silent;
  for (const ParamInfo& param : info->params) {
    if (param.doc.empty() && param.choices.empty()) silent.push_back("parameter '" + param.name + "'");
  }
  for (const PortInfo& port : info->inputs) {
    if (port.doc.empty()) silent.push_back("port '" + port.name + "'");
  }
  if (silent.empty()) return passed();
  return warned("says nothing about " + join(silent) + ".",
                "Add .doc(\"...\") to each; for a port begin with its shape, as \"[N, C]\".");
}

Finding test_summary(Subject&, const ComponentInfo* info) {
  if (info->summary.find('\n') == std::string::npos && info->summary.size() <= 160) return passed();
  return warned("has a summary of " + std::to_string(info->summary.size()) + " bytes or several lines.",
                "Keep the summary to one line, and move the rest to Spec::details.");
}

// A range that admits nothing cannot be noticed by its default when the parameter has none.
Finding test_ranges(Subject&, const ComponentInfo* info) {
  for (const ParamInfo& param : info->params) {
    if (std::isnan(param.min) || std::isnan(param.max)) continue;
    const bool open = param.min_exclusive || param.max_exclusive;
    if (param.min < param.max || (param.min == param.max && !open)) continue;
    return failed("parameter '" + param.name + "' allows no value: its range goes from " + shortest(param.min) +
                      " to " + shortest(param.max) + ".",
                  "Give the lower bound first, as range(0.0, 1.0).");
  }
  return passed();
}

Finding test_choices(Subject&, const ComponentInfo* info) {
  for (const ParamInfo& param : info->params) {
    const std::set<std::string> different(param.choices.begin(), param.choices.end());
    if (different.size() != param.choices.size()) {
      return failed("parameter '" + param.name + "' has the same choice twice.", "Name each choice once.");
    }
    if (!param.choices.empty() && param.type != KDH_T_STRING && param.type != KDH_T_STRING_LIST) {
      return failed("parameter '" + param.name + "' has choices, but is no text.",
                    "Use range(...) for numbers; choices are for text.");
    }
  }
  return passed();
}

bool is_side(const std::string& side, kdh_kind kind) {
  if (kind == KDH_KIND_MODEL || kind == KDH_KIND_TRANSFORM) return side == "batch";
  return side == "student" || side == "teacher" || side == "batch" || side == "state";
}

Finding test_ports(Subject&, const ComponentInfo* info) {
  for (const PortInfo& port : info->inputs) {
    if (is_side(port.side(), info->kind) && port.name.find('.') != std::string::npos) continue;
    const bool batch_only = info->kind == KDH_KIND_MODEL || info->kind == KDH_KIND_TRANSFORM;
    return failed("has the port '" + port.name + "', which no experiment can bind.",
                  std::string("Begin its name with ") +
                      (batch_only ? "'batch.'" : "'student.', 'teacher.' or 'batch.'") + " and what it is.");
  }
  const bool needs_inputs = info->kind != KDH_KIND_SCHEDULER && info->kind != KDH_KIND_DATASET;
  if (needs_inputs && info->inputs.empty()) {
    return failed("has no port, so it sees nothing.", "Declare what it reads with Spec::input, as \"student.logits\".");
  }
  return passed();
}

Finding test_outputs(Subject&, const ComponentInfo* info) {
  const bool has_logits =
      std::any_of(info->outputs.begin(), info->outputs.end(), [](const PortInfo& p) { return p.name == "logits"; });
  if (info->outputs.empty() || has_logits) return passed();
  return warned("declares outputs, but no 'logits', which losses and metrics take by default.",
                "Name the class scores 'logits'.");
}

}  // namespace

void add_description_tests(std::vector<Test>& tests) {
  const std::vector<kdh_kind> all{KDH_KIND_LOSS,    KDH_KIND_MODEL,     KDH_KIND_SCHEDULER,
                                  KDH_KIND_DATASET, KDH_KIND_TRANSFORM, KDH_KIND_METRIC};
  const std::vector<std::string> needs{"load.bound", "load.query", "load.description", "load.agrees"};
  const auto add = [&](const char* name, std::vector<kdh_kind> kinds, Finding (*run)(Subject&, const ComponentInfo*)) {
    tests.push_back({.level = 3, .name = name, .kinds = std::move(kinds), .needs = needs, .run = run});
  };
  add("description.plugin_version", {}, test_plugin_version);
  add("description.version", all, test_version);
  add("description.documented", all, test_documented);
  add("description.summary", all, test_summary);
  add("description.ranges", all, test_ranges);
  add("description.choices", all, test_choices);
  add("description.ports", all, test_ports);
  add("description.outputs", {KDH_KIND_MODEL}, test_outputs);
}

}  // namespace kdhost::check
