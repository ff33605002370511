// SPDX-License-Identifier: MIT
// Names of enumerations, targets of schedules, plugin paths: the few questions about an experiment that need more
// than reading a member. Part of host/config.
#include "config/experiment.hpp"

#include <string_view>

namespace kdhost {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool any_empty(const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    if (part.empty()) return true;
  }
  return false;
}

}  // namespace

const std::vector<std::string>& choices_of(Precision) {
  static const std::vector<std::string> names = {"fp32", "bf16", "fp64"};
  return names;
}

const std::vector<std::string>& choices_of(CacheMode) {
  static const std::vector<std::string> names = {"auto", "memory", "disk", "off"};
  return names;
}

const std::vector<std::string>& choices_of(TransformUse) {
  static const std::vector<std::string> names = {"declared", "train", "all"};
  return names;
}

const std::vector<std::string>& choices_of(OptimizerKind) {
  static const std::vector<std::string> names = {"sgd", "adam", "adamw"};
  return names;
}

const std::vector<std::string>& choices_of(OnNonfinite) {
  static const std::vector<std::string> names = {"stop"};
  return names;
}

const std::vector<std::string>& choices_of(MatrixRoute) {
  static const std::vector<std::string> names = {"auto", "library", "onednn"};
  return names;
}

std::vector<Path> plugin_paths(const Experiment& experiment) {
  std::vector<Path> paths;
  const auto add = [&](const Component& component) {
    if (component.path) paths.push_back(*component.path);
  };
  add(experiment.data.component);
  for (const Transform& transform : experiment.data.transforms) add(transform.component);
  for (const Teacher& teacher : experiment.teachers) add(teacher.component);
  add(experiment.student.component);
  const auto add_terms = [&](const std::vector<LossTerm>& losses, const std::vector<Schedule>& schedules) {
    for (const LossTerm& term : losses) add(term.component);
    for (const Schedule& schedule : schedules) add(schedule.component);
  };
  add_terms(experiment.losses, experiment.schedules);
  for (const Stage& stage : experiment.stages) {
    add_terms(stage.losses.value_or(std::vector<LossTerm>{}), stage.schedules.value_or(std::vector<Schedule>{}));
  }
  for (const Metric& metric : experiment.metrics) add(metric.component);
  paths.insert(paths.end(), experiment.plugins.begin(), experiment.plugins.end());
  return paths;
}

std::string last_part(const std::string& id) {
  const std::size_t point = id.rfind('.');
  return point == std::string::npos ? id : id.substr(point + 1);
}

std::optional<Target> parse_target(const std::string& text, const std::vector<Teacher>& teachers) {
  using Kind = Target::Kind;
  const std::vector<std::string> parts = split(text, '.');
  const std::size_t count = parts.size();
  if (any_empty(parts)) return std::nullopt;
  const auto word = [&](std::size_t at, std::string_view expected) { return at < count && parts[at] == expected; };
  if (word(0, "loss") && count == 3 && word(2, "weight")) return Target{Kind::loss_weight, parts[1], "weight"};
  if (word(0, "loss") && count == 4 && word(2, "params")) return Target{Kind::loss_param, parts[1], parts[3]};
  if (word(0, "optimizer") && count == 2) return Target{Kind::optimizer, "", parts[1]};
  if (word(0, "student") && count == 3 && word(1, "params")) return Target{Kind::student_param, "", parts[2]};
  if (word(0, "teacher") && count == 3 && word(1, "params")) {
    return Target{Kind::teacher_param, teachers.empty() ? "teacher" : teachers.front().name.value, parts[2]};
  }
  if (word(0, "teacher") && count == 4 && word(2, "params")) return Target{Kind::teacher_param, parts[1], parts[3]};
  if (word(0, "data") && word(1, "transform") && count == 5 && word(3, "params")) {
    return Target{Kind::transform_param, parts[2], parts[4]};
  }
  return std::nullopt;
}

}  // namespace kdhost
