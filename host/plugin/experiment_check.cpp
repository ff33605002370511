// SPDX-License-Identifier: MIT
// Walks an experiment once and collects every problem that its components' descriptions can show.
#include "plugin/experiment_check.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "plugin/parameters.hpp"

namespace kdhost {
namespace {

class ExperimentChecker {
 public:
  ExperimentChecker(Experiment& experiment, Registry& registry) : experiment_(experiment), registry_(registry) {}

  ExperimentProblems check() {
    for (const Error& error : registry_.problems()) add(error);
    component(experiment_.data.component, KDH_KIND_DATASET);
    for (Transform& transform : experiment_.data.transforms) {
      transforms_[transform.name.value] = component(transform.component, KDH_KIND_TRANSFORM);
    }
    for (Teacher& teacher : experiment_.teachers) {
      // `from` and `ema_of` give the model elsewhere.
      if (!teacher.component.use.value.empty()) {
        teachers_[teacher.name.value] = component(teacher.component, KDH_KIND_MODEL);
      }
    }
    student_ = component(experiment_.student.component, KDH_KIND_MODEL);
    const Losses losses = loss_terms(experiment_.losses);
    schedules(experiment_.schedules, losses);
    for (Stage& stage : experiment_.stages) {
      const Losses own = stage.losses ? loss_terms(*stage.losses) : losses;
      if (stage.schedules) schedules(*stage.schedules, own);
    }
    for (Metric& metric : experiment_.metrics) metric_ports(metric, component(metric.component, KDH_KIND_METRIC));
    return finish();
  }

 private:
  using Losses = std::map<std::string, const ComponentInfo*>;

  void add(const Error& error) {
    messages_.insert(messages_.end(), error.messages().begin(), error.messages().end());
    (error.exit() == Exit::plugin ? plugin_fault_ : file_fault_) = true;
  }

  void report(const Place& place, std::string what, std::string expected, std::string mend = {}) {
    Message message;
    message.place = place;
    message.what = std::move(what);
    message.expected = std::move(expected);
    message.mend = std::move(mend);
    messages_.push_back(std::move(message));
    file_fault_ = true;
  }

  // Looks the component up, checks its parameters and fills them in; null where it cannot be known.
  const ComponentInfo* component(Component& component, kdh_kind kind) {
    const std::string& id = component.use.value;
    if (id.empty() || registry_.undecided(id)) return nullptr;
    const ComponentInfo* info = nullptr;
    try {
      info = &registry_.find(id, kind, component.use.place, component.path).info;
    } catch (const Error& error) {
      add(error);
      return nullptr;
    }
    if (!info->complete) return nullptr;
    // Not a table: the reader has told.
    if (!component.params.is(Value::Type::table)) return info;
    const std::size_t before = messages_.size();
    Value resolved = check_parameters(*info, component.params, component.use.place, messages_);
    if (messages_.size() > before) {
      file_fault_ = true;
    } else {
      component.params = std::move(resolved);
    }
    return info;
  }

  Losses loss_terms(std::vector<LossTerm>& terms) {
    Losses out;
    for (LossTerm& term : terms) {
      const ComponentInfo* info = component(term.component, KDH_KIND_LOSS);
      out[term.name.value] = info;
      if (info == nullptr) continue;
      const std::size_t before = messages_.size();
      bind_ports(*info, term, experiment_, messages_);
      if (messages_.size() > before) file_fault_ = true;
    }
    return out;
  }

  void schedules(std::vector<Schedule>& schedules, const Losses& losses) {
    for (Schedule& schedule : schedules) {
      component(schedule.component, KDH_KIND_SCHEDULER);
      const std::optional<Target> target = parse_target(schedule.target.value, experiment_.teachers);
      if (!target) continue;  // the reader has told
      switch (target->kind) {
        case Target::Kind::loss_param:
          target_param(schedule, *target, find(losses, target->name));
          break;
        case Target::Kind::student_param:
          target_param(schedule, *target, student_);
          break;
        case Target::Kind::teacher_param:
          target_param(schedule, *target, find(teachers_, target->name));
          break;
        case Target::Kind::transform_param:
          target_param(schedule, *target, find(transforms_, target->name));
          break;
        default:
          break;  // weights and optimizer keys are known to the reader
      }
    }
  }

  static const ComponentInfo* find(const Losses& components, const std::string& name) {
    const auto found = components.find(name);
    return found == components.end() ? nullptr : found->second;
  }

  void target_param(const Schedule& schedule, const Target& target, const ComponentInfo* info) {
    if (info == nullptr) return;
    const ParamInfo* param = info->param(target.key);
    if (param != nullptr && param->schedulable) return;
    std::vector<std::string> names;
    for (const ParamInfo& p : info->params) {
      if (p.schedulable) names.push_back(p.name);
    }
    const std::string can = names.empty() ? "None of its parameters may change while training."
                                          : "Parameters that may change: " + join(names) + ".";
    const std::string which =
        param == nullptr ? "'" + info->id + "' has no parameter " + kdhost::quoted(target.key)
                         : "parameter '" + param->name + "' of '" + info->id + "' cannot change while training";
    report(schedule.target.place, "schedule of " + kdhost::quoted(schedule.target.value) + ": " + which + ".", can,
           did_you_mean(target.key, names));
  }

  void metric_ports(const Metric& metric, const ComponentInfo* info) {
    if (info == nullptr || !experiment_.teachers.empty()) return;
    for (const PortInfo& port : info->inputs) {
      if (port.optional || port.side() != "teacher") continue;
      report(metric.component.use.place,
             "metric '" + info->id + "' compares with a teacher, and the experiment has none.",
             "Expected a [teacher] table, or another metric.");
      return;
    }
  }

  ExperimentProblems finish() {
    const auto order = [&](const Message& message) {
      const auto file = std::find(experiment_.files.begin(), experiment_.files.end(), message.place.file);
      return std::make_tuple(file - experiment_.files.begin(), message.place.line, message.place.column);
    };
    std::stable_sort(messages_.begin(), messages_.end(),
                     [&](const Message& a, const Message& b) { return order(a) < order(b); });
    // A loss that a stage repeats may find the same problem twice.
    messages_.erase(std::unique(messages_.begin(), messages_.end()), messages_.end());
    return {std::move(messages_), plugin_fault_ && !file_fault_ ? Exit::plugin : Exit::experiment};
  }

  Experiment& experiment_;
  Registry& registry_;
  std::vector<Message> messages_;
  bool plugin_fault_ = false;
  bool file_fault_ = false;
  Losses transforms_;
  Losses teachers_;
  const ComponentInfo* student_ = nullptr;
};

}  // namespace

ExperimentProblems find_problems(Experiment& experiment, Registry& registry) {
  return ExperimentChecker(experiment, registry).check();
}

void check_experiment(Experiment& experiment, Registry& registry) {
  ExperimentProblems problems = find_problems(experiment, registry);
  if (!problems.messages.empty()) throw Error(problems.exit, std::move(problems.messages));
}

}  // namespace kdhost
