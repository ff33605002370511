// SPDX-License-Identifier: MIT
// The second half of an assembly: what is trained with the models. Loss terms with their ports bound to taps and
// fields, schedules, the stages of both arms, metrics. The first half is in assembly.cpp.
#include <algorithm>
#include <set>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "data/sample_order.hpp"
#include "data/views.hpp"
#include "plugin/experiment_check.hpp"
#include "train/assembly.hpp"

namespace kdhost {

int64_t Arm::steps() const {
  int64_t n = 0;
  for (const auto& s : stages) n += s.steps;
  return n;
}

// ---- terms

Source Assembly::resolve(const Text& source, const std::string& port, std::vector<Message>& problems) const {
  Source s;
  s.place = source.place;
  const auto field_of = [&](const std::string& name) {
    const at::Tensor* field = probe_.find(name);
    const std::vector<std::string> names = field_names();
    if (!field)
      problems.push_back({source.place, "port " + kdhost::quoted(port),
                          "the batch has no field " + kdhost::quoted(name) + ".", "It has: " + join(names) + ".",
                          did_you_mean(name, names)});
    return field;
  };
  if (port.rfind("batch.", 0) == 0) {
    s.kind = Source::Kind::field;
    s.name = std::string(field_name(source.value));
    field_of(s.name);
    return s;
  }
  const std::size_t colon = source.value.find(':');
  const std::string model = source.value.substr(0, colon);
  std::string tap = source.value.substr(colon + 1);
  for (std::size_t i = 0; i < teachers_.size(); ++i)
    if (teachers_[i].name == model) s.model = i + 1;
  for (const std::string prefix : {"param/", "buffer/"}) {
    if (tap.rfind(prefix, 0) != 0) continue;
    s.kind = Source::Kind::part;
    s.name = tap.substr(prefix.size());
    std::vector<std::string> names;
    for (const auto& p : *this->model(s.model).part_list()) names.push_back(p.name);
    if (std::find(names.begin(), names.end(), s.name) == names.end())
      problems.push_back({source.place, "port " + kdhost::quoted(port),
                          kdhost::quoted(model) + " has no parameter or buffer " + kdhost::quoted(s.name) + ".",
                          "Expected one of those that `kdhost inspect FILE.toml --json` lists.",
                          did_you_mean(s.name, names)});
    return s;
  }
  s.name = tap;
  const std::string plain(viewed_tap(tap).tap);
  std::vector<std::string> names;
  for (const auto& o : outputs_[s.model]) names.push_back(o.port);
  if (std::find(names.begin(), names.end(), plain) == names.end())
    problems.push_back({source.place, "port " + kdhost::quoted(port),
                        model_name(s.model) + " has no tap " + kdhost::quoted(plain) + ".",
                        "It has: " + join(names) + ".", did_you_mean(plain, names)});
  if (plain.size() == tap.size()) return s;
  const std::string view = tap.substr(plain.size() + 1);
  const at::Tensor* input = field_of("input");
  const at::Tensor* field = input ? field_of(view) : nullptr;
  if (field && rows_of_view(*input, *field) == 0)
    problems.push_back({source.place, "port " + kdhost::quoted(port),
                        "the field " + kdhost::quoted(view) + ", " + tensor_text(*field) + ", is no view of the input.",
                        "Expected a field like " + kdhost::quoted("input") + ", " + tensor_text(*input) +
                            ", or with a second dimension before the others for several views of each sample.",
                        "Let a transform write it, such as kdhost.view or kdhost.rotations."});
  return s;
}

std::vector<PortShape> Assembly::shapes_of(const std::vector<PortBinding>& ports) const {
  std::vector<PortShape> shapes;
  for (const auto& p : ports)
    for (std::size_t i = 0; i < p.sources.size(); ++i) {
      const Source& s = p.sources[i];
      PortShape shape;
      if (s.kind == Source::Kind::field) {
        const at::Tensor& t = *probe_.find(s.name);
        shape.sizes = t.sizes().vec();
        shape.dtype = t.scalar_type();
        shape.sizes[0] = -1;
      } else if (s.kind == Source::Kind::tap) {
        for (const auto& o : outputs_[s.model])
          if (o.port == viewed_tap(s.name).tap) shape = o;
      } else {
        for (const auto& spec : *model(s.model).part_list())
          if (spec.name == s.name) {
            shape.sizes = spec.sizes;
            shape.dtype = spec.dtype.value_or(floating_);
          }
      }
      shape.port = p.is_list ? p.port + "." + std::to_string(i) : p.port;
      shapes.push_back(std::move(shape));
    }
  return shapes;
}

void Assembly::make_terms(StagePlan& stage, Arm& arm, const std::vector<const LossTerm*>& terms) {
  std::vector<Message> problems;
  for (const LossTerm* written : terms) {
    const ComponentInfo& info = maker_.info(written->component, KDH_KIND_LOSS);
    Term term;
    term.name = written->name.value;
    term.place = written->component.use.place;
    term.weight = term.base_weight = written->weight.value;
    std::vector<Message> wrong;
    for (const BoundPort& bound : bind_ports(info, *written, *experiment_, wrong)) {
      // A field that the file does not name is taken where the batch has it; an optional port does without.
      const bool by_default = !bound.sources.empty() && !bound.sources.front().place.known();
      if (bound.port->optional && bound.port->side() == "batch" && by_default && !probe_.find(bound.port->name))
        continue;
      PortBinding b;
      b.port = bound.port->name;
      b.is_list = bound.port->is_list || bound.sources.size() > 1;
      const std::string side = bound.port->side();
      b.detach = side == "teacher";
      term.of_teacher = term.of_teacher || side == "teacher";
      for (const Text& source : bound.sources) {
        b.sources.push_back(resolve(source, b.port, wrong));
        if (b.sources.back().kind == Source::Kind::field && b.sources.back().name == "label") term.needs_labels = true;
        term.takes_teacher = term.takes_teacher || b.sources.back().model > 0;
      }
      term.ports.push_back(std::move(b));
    }
    if (!wrong.empty()) {
      for (auto& m : wrong) {
        if (!m.place.known()) m.place = term.place;
        m.where = "loss " + kdhost::quoted(term.name) + (m.where.empty() ? "" : ", " + m.where);
        problems.push_back(std::move(m));
      }
      continue;
    }
    Origin origin = maker_.origin(written->component, KDH_KIND_LOSS, "loss." + term.name);
    if ((origin.component->flags & KDH_COMPONENT_TEACHER_IN_TRAINING_MODE) != 0)
      for (const auto& p : term.ports)
        for (const auto& s : p.sources)
          if (s.model > 0) teachers_[s.model - 1].training_mode = true;
    term.loss = std::make_unique<LossInstance>(
        std::move(origin), maker_.creation(written->component, KDH_KIND_LOSS, shapes_of(term.ports)));
    for (auto& p : term.ports)
      p.slot = p.is_list ? term.loss->inputs().add_list(p.port, p.sources.size()) : term.loss->inputs().add(p.port);
    const std::string owner = "loss." + term.name;
    const auto same = [&](const TermParts& t) {
      return t.owner == owner && t.list->size() == term.loss->part_list()->size();
    };
    const auto found = std::find_if(arm.part_lists.begin(), arm.part_lists.end(), same);
    term.parts = static_cast<std::size_t>(found - arm.part_lists.begin());
    if (found == arm.part_lists.end()) arm.part_lists.push_back({owner, term.loss->part_list()});
    stage.terms.push_back(std::move(term));
  }
  if (!problems.empty()) throw Error(Exit::experiment, problems);
}

void Assembly::make_schedules(StagePlan& stage, const std::vector<Schedule>& schedules, bool baseline) {
  for (const Schedule& s : schedules) {
    const auto target = parse_target(s.target.value, experiment_->teachers);
    if (!target) continue;  // refused by the experiment check
    const bool of_loss = target->kind == Target::Kind::loss_weight || target->kind == Target::Kind::loss_param;
    if (baseline && (of_loss || target->kind == Target::Kind::teacher_param)) continue;
    BoundSchedule bound;
    bound.target = s.target.value;
    bound.factor = s.factor.value;
    bound.place = s.component.use.place;
    const auto drive = [&](Instance& instance, kdh_kind kind) {
      Arguments& params = instance.params();
      const std::size_t index = params.find(target->key).value();
      const Offer& offer = maker_.registry().find(std::string(instance.id()), kind, bound.place);
      if (const ParamInfo* param = offer.info.param(target->key)) bound.range = *param;
      bound.base = params.number(index);
      bound.set = [&params, index](double v) { params.set_number(index, v); };
    };
    switch (target->kind) {
      case Target::Kind::loss_weight:
      case Target::Kind::loss_param: {
        const auto term =
            std::find_if(stage.terms.begin(), stage.terms.end(), [&](const Term& t) { return t.name == target->name; });
        if (term == stage.terms.end()) continue;  // another stage's
        if (target->kind == Target::Kind::loss_param) {
          drive(*term->loss, KDH_KIND_LOSS);
        } else {
          double* weight = &term->weight;
          bound.base = term->base_weight;
          bound.set = [weight](double v) { *weight = v; };
        }
        break;
      }
      case Target::Kind::optimizer: {
        double* value = stage.optimizer_values.find(target->key);
        if (!value) continue;
        bound.base = *value;
        bound.set = [value](double v) { *value = v; };
        break;
      }
      case Target::Kind::student_param:
        drive(*student_, KDH_KIND_MODEL);
        break;
      case Target::Kind::teacher_param:
        for (auto& t : teachers_)
          if (t.model && (t.name == target->name)) drive(*t.model, KDH_KIND_MODEL);
        break;
      case Target::Kind::transform_param:
        drive(augment_->transform(target->name), KDH_KIND_TRANSFORM);
        break;
    }
    if (!bound.set) continue;
    bound.scheduler = std::make_unique<SchedulerInstance>(
        maker_.origin(s.component, KDH_KIND_SCHEDULER, "schedule of " + s.target.value),
        maker_.creation(s.component, KDH_KIND_SCHEDULER, {}));
    stage.schedules.add(std::move(bound));
  }
}

void Assembly::find_wants(StagePlan& stage) const {
  std::vector<std::set<std::string>> names(1 + teachers_.size());
  for (const Term& t : stage.terms)
    for (const auto& p : t.ports)
      for (const auto& s : p.sources)
        if (s.kind == Source::Kind::tap) names[s.model].insert(s.name);
  for (const auto& n : names) stage.wants.emplace_back(std::vector<std::string>(n.begin(), n.end()));
}

int64_t Assembly::steps_per_epoch() const {
  const int64_t accumulate = experiment_->train.accumulate.value;
  const int64_t batches = batches_of(static_cast<int64_t>(subsets_.train.size()), experiment_->data.batch.value,
                                     experiment_->data.drop_last.value);
  return (batches + accumulate - 1) / accumulate;
}

void Assembly::make_arms() {
  const Experiment& e = *experiment_;
  if (subsets_.train.empty()) return;  // evaluation only
  const int64_t per_epoch = steps_per_epoch();
  if (per_epoch == 0)
    throw Error(Exit::experiment, Message{e.data.batch.place, "",
                                          "there is no whole batch: " + std::to_string(subsets_.train.size()) +
                                              " training samples, batch " + std::to_string(e.data.batch.value) + ".",
                                          "Expected at least one whole batch, since drop_last = true.",
                                          "Choose a smaller batch, or drop_last = false."});
  arms_.reserve(2);
  Arm& arm = arms_.emplace_back();
  arm.samples = subsets_.train;
  const auto enabled = [](const std::vector<LossTerm>& list) {
    std::vector<const LossTerm*> on;
    for (const auto& t : list)
      if (t.enabled) on.push_back(&t);
    return on;
  };
  const auto duration = [&](StagePlan& s, const std::optional<Integer>& epochs, const std::optional<Integer>& steps) {
    s.steps = steps ? steps->value : epochs->value * per_epoch;
    s.epochs = (s.steps + per_epoch - 1) / per_epoch;
  };
  arm.stages.reserve(std::max<std::size_t>(1, e.stages.size()));
  std::vector<const std::vector<Schedule>*> schedules;
  if (e.stages.empty()) {
    StagePlan& s = arm.stages.emplace_back();
    duration(s, e.train.epochs, e.train.steps);
    s.optimizer = e.optimizer;
    make_terms(s, arm, enabled(e.losses));
    schedules.push_back(&e.schedules);
  }
  for (const Stage& written : e.stages) {
    StagePlan& s = arm.stages.emplace_back();
    s.name = written.name.value;
    duration(s, written.epochs, written.steps);
    s.freeze = written.freeze;
    s.optimizer = written.optimizer ? *written.optimizer : e.optimizer;
    s.keeps_optimizer_state = !written.optimizer && arm.stages.size() > 1;
    make_terms(s, arm, enabled(written.losses ? *written.losses : e.losses));
    schedules.push_back(written.schedules ? &*written.schedules : &e.schedules);
  }
  bool any_teacher = false;
  for (auto& s : arm.stages)
    for (const auto& t : s.terms) any_teacher = any_teacher || t.of_teacher;

  if (any_teacher && e.baseline.enabled) {
    Arm& base = arms_.emplace_back();
    base.baseline = true;
    base.samples = subsets_.labelled;
    if (base.samples.empty())
      throw Error(Exit::experiment, Message{e.data.component.place, "[baseline]", "no sample keeps its label.",
                                            "Expected labels for the student alone to learn from.",
                                            "Raise data.labels, or write enabled = false in [baseline]."});
    StagePlan& s = base.stages.emplace_back();
    s.steps = arms_[0].steps();
    s.epochs = (s.steps + per_epoch - 1) / per_epoch;
    s.optimizer = e.optimizer;
    std::vector<const LossTerm*> kept;
    std::set<std::string> names;
    for (std::size_t i = 0; i < arms_[0].stages.size(); ++i) {
      const auto list = e.stages.empty() || !e.stages[i].losses ? enabled(e.losses) : enabled(*e.stages[i].losses);
      for (const auto* t : list)
        for (const auto& made : arms_[0].stages[i].terms)
          if (made.name == t->name.value && !made.of_teacher && !made.takes_teacher && names.insert(made.name).second)
            kept.push_back(t);
    }
    if (kept.empty()) {
      LossTerm& ce = own_terms_.emplace_back();
      ce.component.use = Text("kdhost.cross_entropy", e.baseline.enabled.place);
      ce.name = Text("cross_entropy");
      kept.push_back(&ce);
    }
    make_terms(s, base, kept);
    double sum = 0.0;
    for (const auto& t : s.terms) sum += t.base_weight;
    if (sum > 0.0)
      for (auto& t : s.terms) t.weight = t.base_weight = t.base_weight / sum;
  }
  for (auto& a : arms_)
    for (std::size_t i = 0; i < a.stages.size(); ++i) {
      a.stages[i].optimizer_values = OptimizerValues(a.stages[i].optimizer);
      make_schedules(a.stages[i], a.baseline ? e.schedules : *schedules[i], a.baseline);
      find_wants(a.stages[i]);
    }
}

// ---- metrics

std::vector<PortBinding> Assembly::bind_metric(const ComponentInfo& info, const Component& use) const {
  std::vector<PortBinding> ports;
  std::vector<Message> problems;
  for (const auto& port : info.inputs) {
    PortBinding b;
    b.port = port.name;
    const std::string side = port.side(), rest = port.name.substr(port.name.find('.') + 1);
    if (side == "teacher" && teachers_.empty()) {
      if (port.optional) continue;
      problems.push_back({use.use.place, "", info.id + " needs a teacher, and the experiment has none.",
                          "Expected a [teacher] to compare with.", "Write one, or leave the metric out."});
      continue;
    }
    const std::string from = side == "batch" ? rest : (side == "teacher" ? teachers_.front().name : side) + ":" + rest;
    b.sources.push_back(resolve(Text(from, use.use.place), port.name, problems));
    ports.push_back(std::move(b));
  }
  if (!problems.empty()) throw Error(Exit::experiment, problems);
  return ports;
}

void Assembly::make_metrics() {
  const auto add = [&](const Component& use, bool shown) {
    MetricUse m;
    const ComponentInfo& info = maker_.info(use, KDH_KIND_METRIC);
    m.ports = bind_metric(info, use);
    m.metric =
        std::make_unique<MetricInstance>(maker_.origin(use, KDH_KIND_METRIC, "metric." + last_part(use.use.value)),
                                         maker_.creation(use, KDH_KIND_METRIC, {}));
    m.shown = shown;
    for (auto& p : m.ports) {
      p.slot = m.metric->inputs().add(p.port);
      for (const auto& s : p.sources) m.of_teacher = m.of_teacher || s.model > 0;
    }
    metrics_.push_back(std::move(m));
  };
  std::vector<Component> uses;
  for (const Metric& m : experiment_->metrics) uses.push_back(m.component);
  const std::size_t written = uses.size();
  if (classes() > 0)
    for (const char* id : kTableMetrics) {
      if (std::string(id) == "kdhost.agreement" && teachers_.empty()) continue;
      if (std::any_of(uses.begin(), uses.end(), [&](const Component& c) { return c.use.value == id; })) continue;
      Component c;
      c.use = Text(id);
      uses.push_back(std::move(c));
    }
  for (std::size_t i = 0; i < uses.size(); ++i) add(uses[i], i < written);
}

}  // namespace kdhost
