// SPDX-License-Identifier: MIT
#include "train/assembly.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/launch.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"
#include "data/sample_order.hpp"
#include "plugin/experiment_check.hpp"
#include "plugin/parameters.hpp"
#include "train/weights.hpp"

namespace kdhost {

int64_t Arm::steps() const {
  int64_t n = 0;
  for (const auto& s : stages) n += s.steps;
  return n;
}

std::vector<std::string> data_places() {
  std::vector<std::string> places;
  if (const auto data = environment_variable("KDHOST_DATA"); data && !data->empty()) places.push_back(*data);
  if (const auto home = environment_variable("HOME")) places.push_back(*home + "/.cache/kdhost/data");
  std::string folders = environment_variable("XDG_DATA_DIRS").value_or("");
  if (folders.empty()) folders = "/usr/local/share:/usr/share";
  for (std::size_t at = 0; at <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    if (end > at) places.push_back(folders.substr(at, end - at) + "/datasets");
    at = end + 1;
  }
  return places;
}

// ---- Maker -------------------------------------------------------------------------------------------------------------

const ComponentInfo& Maker::info(const Component& use, kdh_kind kind) {
  return registry_->find(use.use.value, kind, use.use.place, use.path).info;
}

Origin Maker::origin(const Component& use, kdh_kind kind, const std::string& name) {
  Offer& offer = registry_->find(use.use.value, kind, use.use.place, use.path);
  Origin o;
  o.component = &registry_->open(offer);
  o.tier = offer.file->library->description().tier;
  o.plugin_file = offer.file->path.string();
  o.place = use.use.place;
  o.name = name;
  if (std::find(used_.begin(), used_.end(), offer.file) == used_.end()) used_.push_back(offer.file);
  return o;
}

Creation Maker::creation(const Component& use, kdh_kind kind, std::vector<PortShape> shapes) {
  const Parameters params = resolve_parameters(info(use, kind), use.params, use.place);
  return {Arguments(std::span(params.data(), params.size())), std::move(shapes), facts_};
}

std::vector<std::pair<std::string, std::string>> Maker::used_plugins() const {
  std::vector<std::pair<std::string, std::string>> list;
  for (const auto* f : used_) list.emplace_back(f->path.string(), plugin_hash(*f));
  return list;
}

// ---- Assembly ------------------------------------------------------------------------------------------------------------

Assembly::Assembly(const Experiment& experiment, Registry& registry, at::Device device, const TeacherMaker& teacher_from)
    : experiment_(&experiment),
      device_(device),
      floating_(parameter_dtype(experiment.train.precision.value)),
      maker_(registry, Arguments().add("data_places", data_places())) {
  // Relative paths in parameters start at the experiment's folder; without one, at the current folder.
  const std::string folder = std::filesystem::path(experiment.file).parent_path().string();
  if (!folder.empty()) maker_.facts().add("folder", folder);
  open_data();
  make_student();
  make_teachers(teacher_from);
  dry_forward();
  make_arms();
  make_metrics();
}

void Assembly::open_data() {
  const DataSettings& data = experiment_->data;
  dataset_ = std::make_unique<DatasetInstance>(maker_.origin(data.component, KDH_KIND_DATASET, "data"),
                                               maker_.creation(data.component, KDH_KIND_DATASET, {}));
  const DatasetInfo& info = dataset_->info();
  if (info.classes > 0) maker_.facts().add("classes", info.classes);
  maker_.facts().add("samples", info.samples[0]);
  if (info.samples[0] > 0) subsets_ = make_subsets(*dataset_, data);

  // 4-D inputs go through convolutions, which on a CPU are twice as fast in this layout.
  const std::size_t input = info.field("input");
  channels_last_ = input < info.fields.size() && info.fields[input].sizes.size() == 3 && floating_ != at::kDouble;
  loader_ = std::make_unique<Loader>(*dataset_, device_, floating_, channels_last_);

  std::vector<Augment::Item> items;
  Batch sample;
  const Split split = subsets_.train.empty() ? Split::test : Split::train;
  if (split == Split::test && info.samples[2] == 0)
    throw Error(Exit::data, Message{data.component.use.place, "", "the data set has neither training nor test samples", "", ""});
  std::vector<int64_t> few(std::min<std::size_t>(2, split == Split::train ? subsets_.train.size()
                                                                         : static_cast<std::size_t>(info.samples[2])));
  for (std::size_t i = 0; i < few.size(); ++i) few[i] = split == Split::train ? subsets_.train[i] : static_cast<int64_t>(i);
  sample = loader_->load(split, few);
  for (const Transform& t : data.transforms) {
    std::vector<PortShape> shapes;
    for (const auto& f : sample.fields) {
      std::vector<int64_t> sizes = f.value.sizes().vec();
      sizes[0] = -1;
      shapes.push_back({"batch." + f.name, std::move(sizes), f.value.scalar_type()});
    }
    auto transform = std::make_unique<TransformInstance>(
        maker_.origin(t.component, KDH_KIND_TRANSFORM, "data.transform." + t.name.value),
        maker_.creation(t.component, KDH_KIND_TRANSFORM, std::move(shapes)));
    const bool fixed = transform->fixed();
    const bool everywhere = t.on.value == TransformUse::all || (t.on.value == TransformUse::declared && fixed);
    items.push_back({std::move(transform), true, everywhere, t.name.value});
  }
  augment_ = std::make_unique<Augment>(std::move(items));
  if (augment_->mixes() && !subsets_.all_labelled())
    throw Error(Exit::experiment,
                Message{data.labels ? data.labels->place : data.component.use.place, "",
                        "some samples have no label, and a transform mixes samples with their labels",
                        "all samples with a label, or transforms that treat each sample by itself",
                        "leave out `labels`, or mixup and cutmix"});
  probe_ = first_batch(experiment_->seeds.front().value);
}

Batch Assembly::first_batch(int64_t seed) {
  const bool train = !subsets_.train.empty();
  std::vector<int64_t> samples = train ? sample_order(subsets_.train, static_cast<uint64_t>(seed), 0, experiment_->data.shuffle)
                                       : std::vector<int64_t>();
  if (!train)
    for (int64_t i = 0; i < dataset_->info().samples[2]; ++i) samples.push_back(i);
  if (static_cast<int64_t>(samples.size()) > experiment_->data.batch.value)
    samples.resize(static_cast<std::size_t>(experiment_->data.batch.value));
  Batch batch = loader_->load(train ? Split::train : Split::test, samples);
  batch.keys = augmentation_keys(static_cast<uint64_t>(seed), 0, batch.samples);
  if (train) mark_labelled(batch, subsets_.has_label);
  augment_->apply(batch, train);
  return batch;
}

std::vector<PortShape> Assembly::field_shapes(const ComponentInfo& component) const {
  std::vector<PortShape> shapes;
  for (const auto& port : component.inputs) {
    const at::Tensor* field = probe_.find(port.name);
    if (!field) {
      if (port.optional) continue;
      std::vector<std::string> names;
      for (const auto& f : probe_.fields) names.push_back(f.name);
      throw Error(Exit::experiment,
                  Message{experiment_->data.component.use.place, "", "the data set has no field for port " + kdhost::quoted(port.name) +
                              " of " + component.id,
                          "its fields: " + join(names),
                          did_you_mean(field_name(port.name), names)});
    }
    std::vector<int64_t> sizes = field->sizes().vec();
    sizes[0] = -1;
    shapes.push_back({port.name, std::move(sizes), field->scalar_type()});
  }
  return shapes;
}

namespace {
void add_ports(Inputs& inputs, const std::vector<PortShape>& shapes) {
  for (const auto& s : shapes) inputs.add(s.port);
}
}  // namespace

void Assembly::make_student() {
  const Component& use = experiment_->student.component;
  auto shapes = field_shapes(maker_.info(use, KDH_KIND_MODEL));
  Origin origin = maker_.origin(use, KDH_KIND_MODEL, "student");
  student_ = std::make_unique<ModelInstance>(std::move(origin), maker_.creation(use, KDH_KIND_MODEL, shapes));
  add_ports(student_->inputs(), shapes);
}

Parts Assembly::new_student(int64_t seed) const {
  Parts parts(student_->part_list(), "student", static_cast<uint64_t>(seed), floating_);
  if (experiment_->student.weights)
    load_weights(parts, *experiment_->student.weights, experiment_->student.rename, experiment_->student.load, "student");
  parts.to(device_, std::nullopt, channels_last_);
  parts.require_grad(true);
  return parts;
}

Parts Assembly::new_parts(const std::shared_ptr<const PartList>& list, const std::string& owner, int64_t seed) const {
  Parts parts(list, owner, static_cast<uint64_t>(seed), floating_);
  parts.to(device_, std::nullopt, channels_last_);
  parts.require_grad(true);
  return parts;
}

void Assembly::make_teachers(const TeacherMaker& teacher_from) {
  const Precision student_precision = experiment_->train.precision.value;
  for (const Teacher& t : experiment_->teachers) {
    TeacherModel m;
    m.name = t.name.value;
    m.place = t.component.place;
    m.precision = experiment_->train.teacher_precision ? experiment_->train.teacher_precision->value : student_precision;
    if (t.ema_of) {
      m.kind = TeacherKind::average;
      m.decay = t.ema_decay.value;
      m.precision = student_precision;
      m.origin = "moving average of the student, decay " + std::to_string(m.decay);
      teachers_.push_back(std::move(m));
      continue;
    }
    Component use = t.component;
    std::optional<Path> weights = t.weights;
    if (t.from) {
      TeacherFromFile made = teacher_from(t);
      use = made.component;
      m.origin = "trained by " + t.from->value;
      if (made.weights) weights = Path(*made.weights, t.from->place);
    } else if (weights) {
      m.origin = "weights " + weights->value;
    }
    if (!weights && !t.from && !t.train)
      throw Error(Exit::experiment,
                  Message{t.component.place, "", "teacher " + kdhost::quoted(m.name) + " has no trained weights",
                          "a frozen teacher needs them",
                          "add weights = \"FILE.safetensors\", from = \"EXPERIMENT.toml\", or train = true"});
    auto shapes = field_shapes(maker_.info(use, KDH_KIND_MODEL));
    Origin origin = maker_.origin(use, KDH_KIND_MODEL, m.name);
    m.model = std::make_unique<ModelInstance>(std::move(origin), maker_.creation(use, KDH_KIND_MODEL, shapes));
    add_ports(m.model->inputs(), shapes);
    m.kind = t.train ? TeacherKind::learning : TeacherKind::frozen;
    if (m.kind == TeacherKind::learning) {
      m.precision = student_precision;
      if (m.origin.empty()) m.origin = "learns with the student";
    }
    Parts parts(m.model->part_list(), m.name, static_cast<uint64_t>(experiment_->seeds.front().value), floating_);
    if (weights) load_weights(parts, *weights, t.rename, {}, "teacher " + kdhost::quoted(m.name));
    if (m.kind == TeacherKind::frozen) {
      const at::ScalarType dtype = m.precision == Precision::bf16 ? at::kBFloat16 : parameter_dtype(m.precision);
      parts.to(device_, dtype, channels_last_);
      parts.require_grad(false);
      m.weights_hash = parts.fingerprint().hex();
    }
    m.parts = std::move(parts);
    teachers_.push_back(std::move(m));
  }
}

void Assembly::bind_fields(ModelInstance& model, const Batch& batch) const {
  Inputs& inputs = model.inputs();
  for (std::size_t slot = 0; slot < inputs.size(); ++slot) {
    const at::Tensor* field = batch.find(inputs.port(slot));
    inputs.set(slot, *field);
  }
}

void Assembly::dry_forward() {
  const at::NoGradGuard no_grad;
  const auto shapes_of_outputs = [](const Outputs& out) {
    std::vector<PortShape> list;
    for (const auto& e : out) {
      std::vector<int64_t> sizes = e.value.sizes().vec();
      if (!sizes.empty()) sizes[0] = -1;
      list.push_back({e.name, std::move(sizes), e.value.scalar_type()});
    }
    return list;
  };
  CallSettings settings;
  settings.flags = KDH_CALL_DRY;
  settings.device = device_;
  Outputs out;
  {
    Parts parts = new_student(experiment_->seeds.front().value);
    bind_fields(*student_, probe_);
    student_->forward(parts, settings, Wants(), out);
    outputs_.push_back(shapes_of_outputs(out));
  }
  for (auto& t : teachers_) {
    if (!t.model) {
      outputs_.push_back(outputs_.front());
      continue;
    }
    out.clear();
    Parts parts = new_parts(t.model->part_list(), t.name, 0);
    bind_fields(*t.model, probe_);
    t.model->forward(parts, settings, Wants(), out);
    outputs_.push_back(shapes_of_outputs(out));
    const at::Tensor logits = out["logits"];
    if (logits.defined() && logits.dim() == 2 && classes() > 0 && logits.size(1) != classes())
      throw Error(Exit::experiment,
                  Message{t.place, "", "teacher " + kdhost::quoted(t.name) + " gives " + std::to_string(logits.size(1)) + " classes",
                          "the data set has " + std::to_string(classes()), "choose a teacher of this data set"});
  }
}

// ---- terms -----------------------------------------------------------------------------------------------------------------

Source Assembly::resolve(const Text& source, const std::string& port, std::vector<Message>& problems) const {
  Source s;
  s.place = source.place;
  if (port.rfind("batch.", 0) == 0) {
    s.kind = Source::Kind::field;
    s.name = std::string(field_name(source.value));
    if (!probe_.find(s.name)) {
      std::vector<std::string> names;
      for (const auto& f : probe_.fields) names.push_back(f.name);
      problems.push_back({source.place, "port " + kdhost::quoted(port), "the batch has no field " + kdhost::quoted(s.name),
                          "fields: " + join(names),
                          did_you_mean(s.name, names)});
    }
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
    const PartList& list = *(s.model == 0 || !teachers_[s.model - 1].model ? *student_ : *teachers_[s.model - 1].model).part_list();
    std::vector<std::string> names;
    for (const auto& p : list) names.push_back(p.name);
    if (std::find(names.begin(), names.end(), s.name) == names.end())
      problems.push_back({source.place, "port " + kdhost::quoted(port), kdhost::quoted(model) + " has no parameter or buffer " + kdhost::quoted(s.name),
                          "", did_you_mean(s.name, names)});
    return s;
  }
  s.name = tap;
  std::vector<std::string> names;
  for (const auto& o : outputs_[s.model]) names.push_back(o.port);
  if (std::find(names.begin(), names.end(), tap) == names.end())
    problems.push_back({source.place, "port " + kdhost::quoted(port), model_name(s.model) + " has no tap " + kdhost::quoted(tap),
                        "taps: " + join(names),
                        did_you_mean(tap, names)});
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
          if (o.port == s.name) shape = o;
      } else {
        const ModelInstance& m = s.model == 0 || !teachers_[s.model - 1].model ? *student_ : *teachers_[s.model - 1].model;
        for (const auto& spec : *m.part_list())
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
      PortBinding b;
      b.port = bound.port->name;
      b.is_list = bound.port->is_list || bound.sources.size() > 1;
      const std::string side = bound.port->side();
      b.detach = side == "teacher";
      term.of_teacher = term.of_teacher || side == "teacher";
      for (const Text& source : bound.sources) {
        b.sources.push_back(resolve(source, b.port, wrong));
        if (b.sources.back().kind == Source::Kind::field && b.sources.back().name == "label") term.needs_labels = true;
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
    if ((origin.component->flags & KDH_COMPONENT_TEACHER_TRAINS) != 0)
      for (const auto& p : term.ports)
        for (const auto& s : p.sources)
          if (s.model > 0) teachers_[s.model - 1].training_mode = true;
    term.loss = std::make_unique<LossInstance>(std::move(origin),
                                               maker_.creation(written->component, KDH_KIND_LOSS, shapes_of(term.ports)));
    for (auto& p : term.ports)
      p.slot = p.is_list ? term.loss->inputs().add_list(p.port, p.sources.size()) : term.loss->inputs().add(p.port);
    const std::string owner = "loss." + term.name;
    const auto same = [&](const TermParts& t) { return t.owner == owner && t.list->size() == term.loss->part_list()->size(); };
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
    const auto drive = [&bound](Arguments& params, const std::string& key) {
      const std::size_t index = params.find(key).value();
      bound.base = params.number(index);
      bound.set = [&params, index](double v) { params.set_number(index, v); };
    };
    switch (target->kind) {
      case Target::Kind::loss_weight:
      case Target::Kind::loss_param: {
        const auto term = std::find_if(stage.terms.begin(), stage.terms.end(),
                                       [&](const Term& t) { return t.name == target->name; });
        if (term == stage.terms.end()) continue;  // another stage's
        if (target->kind == Target::Kind::loss_param) {
          drive(term->loss->params(), target->key);
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
        drive(student_->params(), target->key);
        break;
      case Target::Kind::teacher_param:
        for (auto& t : teachers_)
          if (t.model && (t.name == target->name)) drive(t.model->params(), target->key);
        break;
      case Target::Kind::transform_param:
        drive(augment_->params(target->name), target->key);
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

void Assembly::make_arms() {
  const Experiment& e = *experiment_;
  if (subsets_.train.empty()) return;  // evaluation only
  const auto steps_per_epoch = [&](std::size_t samples) {
    const auto n = static_cast<int64_t>(samples);
    const int64_t b = e.data.batch.value;
    const int64_t batches = e.data.drop_last.value ? n / b : (n + b - 1) / b;
    return (batches + e.train.accumulate.value - 1) / e.train.accumulate.value;
  };
  const int64_t per_epoch = steps_per_epoch(subsets_.train.size());
  if (per_epoch == 0)
    throw Error(Exit::experiment, Message{e.data.batch.place, "", "no whole batch: " + std::to_string(subsets_.train.size()) +
                                              " training samples, batch " + std::to_string(e.data.batch.value),
                                          "with drop_last = true at least one whole batch is needed", ""});
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
      throw Error(Exit::experiment, Message{e.data.component.place, "[baseline]", "no sample keeps its label", "", ""});
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
          if (made.name == t->name.value && !made.of_teacher && names.insert(made.name).second) kept.push_back(t);
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

// ---- metrics ---------------------------------------------------------------------------------------------------------------

std::vector<PortBinding> Assembly::bind_metric(const ComponentInfo& info, const Component& use) const {
  std::vector<PortBinding> ports;
  std::vector<Message> problems;
  for (const auto& port : info.inputs) {
    PortBinding b;
    b.port = port.name;
    const std::string side = port.side(), rest = port.name.substr(port.name.find('.') + 1);
    if (side == "teacher" && teachers_.empty()) {
      if (port.optional) continue;
      problems.push_back({use.use.place, "", info.id + " needs a teacher, and the experiment has none", "", ""});
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
    m.metric = std::make_unique<MetricInstance>(maker_.origin(use, KDH_KIND_METRIC, "metric." + last_part(use.use.value)),
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
    for (const char* id : {"kdhost.accuracy", "kdhost.nll", "kdhost.agreement"}) {
      if (std::string(id) == "kdhost.agreement" && teachers_.empty()) continue;
      if (std::any_of(uses.begin(), uses.end(), [&](const Component& c) { return c.use.value == id; })) continue;
      Component c;
      c.use = Text(id);
      uses.push_back(std::move(c));
    }
  for (std::size_t i = 0; i < uses.size(); ++i) add(uses[i], i < written);
}

}  // namespace kdhost
