// SPDX-License-Identifier: MIT
// Checks targets of schedules against the names of the experiment. Part of host/config.
#include "config/schedule_targets.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/nearest.hpp"
#include "base/text.hpp"

namespace kdhost {
namespace {

using Kind = Target::Kind;

// The names a list of schedules can reach.
struct Reach {
  std::vector<std::string> losses{};
  std::vector<std::string> teachers{};
  std::vector<std::string> transforms{};
  std::vector<std::string> optimizer{};
};

void add_new(std::vector<std::string>& names, const std::string& name) {
  if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

// Written parameters of a component as targets under `prefix`, for suggestions only.
void add_params(std::vector<std::string>& targets, const std::string& prefix, const Value& params) {
  for (const Entry& entry : params.table()) targets.push_back(prefix + ".params." + entry.key);
}

class Targets {
 public:
  Targets(const Experiment& experiment, std::vector<Message>& problems) : e_(experiment), problems_(problems) {
    for (const Teacher& teacher : e_.teachers) reach_.teachers.push_back(teacher.name.value);
    for (const Transform& transform : e_.data.transforms) reach_.transforms.push_back(transform.name.value);
  }

  void check() {
    // The schedules of the file reach the terms of the file and of every stage that inherits them.
    Reach file = reach_;
    add_scope(file, e_.losses, e_.optimizer);
    for (const Stage& stage : e_.stages) {
      if (!stage.schedules) add_scope(file, stage.losses.value_or(e_.losses), stage.optimizer.value_or(e_.optimizer));
    }
    check_list(e_.schedules, file);
    for (const Stage& stage : e_.stages) {
      if (!stage.schedules) continue;
      Reach own = reach_;
      add_scope(own, stage.losses.value_or(e_.losses), stage.optimizer.value_or(e_.optimizer));
      check_list(*stage.schedules, own);
    }
  }

 private:
  void add_scope(Reach& reach, const std::vector<LossTerm>& losses, const OptimizerSettings& optimizer) {
    for (const LossTerm& term : losses) add_new(reach.losses, term.name.value);
    for (const std::string& key : schedulable_keys(optimizer.use.value)) add_new(reach.optimizer, key);
    for (const LossTerm& term : losses) add_params(suggestions_, "loss." + term.name.value, term.component.params);
  }

  void check_list(const std::vector<Schedule>& schedules, const Reach& reach) {
    std::vector<std::pair<Target, Place>> seen;
    for (const Schedule& schedule : schedules) {
      const Text& text = schedule.target;
      // A target left out or of a wrong type has its own message.
      if (text.value.empty()) continue;
      const auto target = parse_target(text.value, e_.teachers);
      if (!target) {
        unknown(text,
                "Expected loss.NAME.weight, loss.NAME.params.P, optimizer.KEY, student.params.P, "
                "teacher.params.P, teacher.NAME.params.P or data.transform.NAME.params.P.",
                all(reach));
        continue;
      }
      names_something(text, *target, reach);
      const auto twice = std::find_if(seen.begin(), seen.end(), [&](const auto& old) { return old.first == *target; });
      if (twice != seen.end()) {
        problem(
            text,
            "two [[schedule]] drive " + quoted(text.value) + "; the other one stands at " + twice->second.text() + ".",
            "Expected one schedule for each number.", "Remove one of them.");
      }
      seen.emplace_back(*target, text.place);
    }
  }

  void names_something(const Text& text, const Target& target, const Reach& reach) {
    switch (target.kind) {
      case Kind::loss_weight:
      case Kind::loss_param:
        return known(text, target.name, reach.losses, "[[loss]]", "loss.", reach);
      case Kind::teacher_param:
        // The teachers are checked elsewhere; where none could be read there is nothing to compare with.
        return known(text, target.name, reach.teachers, "[teacher]", "teacher.", reach);
      case Kind::transform_param:
        return transform(text, target, reach);
      case Kind::optimizer:
        return optimizer(text, target, reach);
      case Kind::student_param:
        return;
    }
  }

  void known(const Text& text, const std::string& name, const std::vector<std::string>& names, const std::string& title,
             const std::string& prefix, const Reach& reach) {
    if (std::find(names.begin(), names.end(), name) != names.end()) return;
    if (names.empty()) return unknown(text, "The experiment has no " + title + ".", {});
    // The same target with the nearest name is a better hint than the nearest of all targets.
    std::vector<std::string> candidates;
    const std::size_t tail = text.value.find(name, prefix.size());
    for (const std::string& other : names) {
      if (tail != std::string::npos) candidates.push_back(prefix + other + text.value.substr(tail + name.size()));
    }
    if (nearest(name, names).empty()) candidates = all(reach);
    unknown(text, "Known names of " + title + ": " + join(names) + ".", candidates);
  }

  void transform(const Text& text, const Target& target, const Reach& reach) {
    const auto count = std::count(reach.transforms.begin(), reach.transforms.end(), target.name);
    if (count > 1) {
      return problem(text, quoted(text.value) + " could mean " + std::to_string(count) + " transforms.",
                     "Expected a name that only one [[data.transform]] has.", "Give them names with name = \"...\".");
    }
    known(text, target.name, reach.transforms, "[[data.transform]]", "data.transform.", reach);
  }

  void optimizer(const Text& text, const Target& target, const Reach& reach) {
    if (std::find(reach.optimizer.begin(), reach.optimizer.end(), target.key) != reach.optimizer.end()) return;
    std::vector<std::string> candidates;
    for (const std::string& key : reach.optimizer) candidates.push_back("optimizer." + key);
    unknown(text, "Numbers of this optimizer: " + join(reach.optimizer) + ".", candidates);
  }

  // Every target that is certain to exist, to look for the nearest one.
  std::vector<std::string> all(const Reach& reach) const {
    std::vector<std::string> targets;
    for (const std::string& name : reach.losses) targets.push_back("loss." + name + ".weight");
    for (const std::string& key : reach.optimizer) targets.push_back("optimizer." + key);
    targets.insert(targets.end(), suggestions_.begin(), suggestions_.end());
    add_params(targets, "student", e_.student.component.params);
    for (const Teacher& teacher : e_.teachers) {
      const bool only = e_.teachers.size() == 1;
      add_params(targets, only ? "teacher" : "teacher." + teacher.name.value, teacher.component.params);
    }
    for (const Transform& transform : e_.data.transforms) {
      add_params(targets, "data.transform." + transform.name.value, transform.component.params);
    }
    return targets;
  }

  // "loss.kd.temperature" where "loss.kd.params.temperature" is meant.
  static std::string with_params(const std::string& target) {
    const std::size_t last = target.rfind('.');
    return last == std::string::npos ? target : target.substr(0, last) + ".params" + target.substr(last);
  }

  void unknown(const Text& text, std::string expected, const std::vector<std::string>& candidates) {
    const std::string last = text.value.substr(text.value.rfind('.') + 1);
    if (parse_target(with_params(text.value), e_.teachers) && text.value.find(".params.") == std::string::npos &&
        nearest(last, {"weight"}).empty())
      return problem(text, "target " + quoted(text.value) + " names nothing.", std::move(expected),
                     "Did you mean '" + with_params(text.value) + "'?");
    problem(text, "target " + quoted(text.value) + " names nothing.", std::move(expected),
            did_you_mean(text.value, candidates));
  }

  void problem(const Text& text, std::string what, std::string expected, std::string mend) {
    problems_.push_back(
        {.place = text.place, .what = std::move(what), .expected = std::move(expected), .mend = std::move(mend)});
  }

  const Experiment& e_;
  std::vector<Message>& problems_;
  Reach reach_;
  std::vector<std::string> suggestions_;
};

}  // namespace

std::vector<std::string> schedulable_keys(OptimizerKind kind) {
  if (kind == OptimizerKind::sgd) return {"lr", "momentum", "weight_decay", "clip_norm"};
  return {"lr", "eps", "weight_decay", "clip_norm"};
}

void check_schedule_targets(const Experiment& experiment, std::vector<Message>& problems) {
  Targets(experiment, problems).check();
}

}  // namespace kdhost
