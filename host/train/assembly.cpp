// SPDX-License-Identifier: MIT
// The first half of an assembly: components are looked up and made, the data opened, student and teachers built, and
// one dry forward finds what each model gives. The second half, what is trained with them, is in assembly_arms.cpp.
#include "train/assembly.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/launch.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"
#include "data/sample_order.hpp"
#include "plugin/experiment_check.hpp"
#include "plugin/parameters.hpp"
#include "tensor/aten.hpp"
#include "train/weights.hpp"

namespace kdhost {

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

// ---- Maker

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

// ---- Assembly

Assembly::Assembly(const Experiment& experiment, Registry& registry, at::Device device,
                   const TeacherMaker& teacher_from)
    : experiment_(&experiment),
      device_(device),
      floating_(parameter_dtype(experiment.train.precision.value)),
      maker_(registry, Arguments().add("data_places", data_places())) {
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
  if (!subsets_.classes.empty()) maker_.facts().add("labels", std::span<const int64_t>(subsets_.classes));

  // 4-D inputs go through convolutions, which on a CPU are twice as fast in this layout.
  const std::size_t input = info.field("input");
  channels_last_ = input < info.fields.size() && info.fields[input].sizes.size() == 3 && floating_ != at::kDouble;
  loader_ = std::make_unique<Loader>(*dataset_, device_, floating_, channels_last_);

  std::vector<Augment::Item> items;
  Batch sample;
  const Split split = subsets_.train.empty() ? Split::test : Split::train;
  if (split == Split::test && info.samples[2] == 0)
    throw Error(Exit::data,
                Message{data.component.use.place, "", "the data set has neither training nor test samples.",
                        "Expected samples to train on or to judge by.", "Name the files of a split in params."});
  std::vector<int64_t> few(std::min<std::size_t>(
      2, split == Split::train ? subsets_.train.size() : static_cast<std::size_t>(info.samples[2])));
  for (std::size_t i = 0; i < few.size(); ++i)
    few[i] = split == Split::train ? subsets_.train[i] : static_cast<int64_t>(i);
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
                        "some samples have no label, and a transform mixes samples with their labels.",
                        "Expected a label for every sample, or transforms that treat each sample by itself.",
                        "Leave out `labels`, or mixup and cutmix."});
  probe_ = first_batch(experiment_->seeds.front().value);
}

Batch Assembly::first_batch(int64_t seed) {
  const bool train = !subsets_.train.empty();
  std::vector<int64_t> samples =
      train ? sample_order(subsets_.train, static_cast<uint64_t>(seed), 0, experiment_->data.shuffle)
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

std::vector<std::string> Assembly::field_names() const {
  std::vector<std::string> names;
  for (const auto& f : probe_.fields) names.push_back(f.name);
  return names;
}

std::vector<PortShape> Assembly::field_shapes(const ComponentInfo& component) const {
  std::vector<PortShape> shapes;
  for (const auto& port : component.inputs) {
    const at::Tensor* field = probe_.find(port.name);
    if (!field) {
      if (port.optional) continue;
      const std::vector<std::string> names = field_names();
      throw Error(
          Exit::experiment,
          Message{experiment_->data.component.use.place, "",
                  "the data set has no field for port " + kdhost::quoted(port.name) + " of " + component.id + ".",
                  "It has: " + join(names) + ".", did_you_mean(field_name(port.name), names)});
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
    load_weights(parts, *experiment_->student.weights, experiment_->student.rename, experiment_->student.load,
                 "student");
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

namespace {
// "mlp 800-800" of kdhost.mlp with hidden = [800, 800]: the whole numbers that the file gives tell models of one id
// apart. `classes` does not: it is that of the data.
std::string label_of(const Component& use) {
  std::vector<std::string> sizes;
  if (use.params.is(Value::Type::table))
    for (const Entry& entry : use.params.table()) {
      if (!entry.key_place.known() || entry.key == "classes") continue;
      if (entry.value.is(Value::Type::integer)) sizes.push_back(std::to_string(entry.value.integer()));
      if (!entry.value.is(Value::Type::list)) continue;
      for (const Value& v : entry.value.list())
        if (v.is(Value::Type::integer)) sizes.push_back(std::to_string(v.integer()));
    }
  return last_part(use.use.value) + (sizes.empty() ? "" : " " + join(sizes, "-"));
}
}  // namespace

void Assembly::make_teachers(const TeacherMaker& teacher_from) {
  const Precision student_precision = experiment_->train.precision.value;
  for (const Teacher& t : experiment_->teachers) {
    TeacherModel m;
    m.name = t.name.value;
    m.place = t.component.place;
    m.precision =
        experiment_->train.teacher_precision ? experiment_->train.teacher_precision->value : student_precision;
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
                  Message{t.component.place, "", "teacher " + kdhost::quoted(m.name) + " has no trained weights.",
                          "Expected them, since it does not learn.",
                          "Write weights = \"FILE.safetensors\", from = \"EXPERIMENT.toml\" or train = true."});
    m.label = label_of(use);
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

const std::string& Assembly::main_output(std::size_t model) const {
  const std::vector<PortShape>& list = outputs_[model];
  const auto logits = std::find_if(list.begin(), list.end(), [](const PortShape& o) { return o.port == "logits"; });
  return (logits == list.end() ? list.front() : *logits).port;
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
  const auto need_classes = [this](const Place& place, const std::string& who, const at::Tensor& logits,
                                   const char* mend) {
    if (!logits.defined() || logits.dim() != 2 || classes() == 0 || logits.size(1) == classes()) return;
    throw Error(Exit::experiment, Message{place, "", who + " gives " + std::to_string(logits.size(1)) + " classes.",
                                          "Expected " + std::to_string(classes()) + ", as the data set has.", mend});
  };
  CallSettings settings;
  settings.flags = KDH_CALL_DRY;
  settings.device = device_;
  // Shapes without the first dimension need no more than two samples; a whole batch follows in the dry batch.
  const Batch few = first_rows(probe_, 2);
  Outputs out;
  {
    Parts parts = new_student(experiment_->seeds.front().value);
    bind_fields(*student_, few);
    student_->forward(parts, settings, Wants(), out);
    outputs_.push_back(shapes_of_outputs(out));
    need_classes(experiment_->student.component.use.place, "the student", out["logits"],
                 "Leave `classes` out of its params: it is that of the data set then.");
  }
  for (auto& t : teachers_) {
    if (!t.model) {
      outputs_.push_back(outputs_.front());
      continue;
    }
    out.clear();
    Parts parts = new_parts(t.model->part_list(), t.name, 0);
    bind_fields(*t.model, few);
    t.model->forward(parts, settings, Wants(), out);
    outputs_.push_back(shapes_of_outputs(out));
    need_classes(t.place, "teacher " + kdhost::quoted(t.name), out["logits"], "Choose a teacher of this data set.");
  }
}

}  // namespace kdhost
