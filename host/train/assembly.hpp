// SPDX-License-Identifier: MIT
// Everything a run needs, made once, in order of need: device, data, models, teachers, loss terms, schedules, metrics.
// The legs of a run (one student each: a seed, distilled or baseline) share it; what a leg changes lies in
// train/leg.hpp.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/experiment.hpp"
#include "data/augment.hpp"
#include "data/loader.hpp"
#include "data/output_store.hpp"
#include "data/subsets.hpp"
#include "plugin/registry.hpp"
#include "tensor/dataset.hpp"
#include "tensor/loss.hpp"
#include "tensor/metric.hpp"
#include "tensor/model.hpp"
#include "train/numerics.hpp"
#include "train/optimizer.hpp"
#include "train/schedules.hpp"

namespace kdhost {

/// Where a port takes one tensor from.
struct Source {
  enum class Kind { tap, field, part };
  Kind kind = Kind::tap;
  std::size_t model = 0;  ///< 0: the student; n: teacher n - 1
  std::string name;       ///< tap, batch field, or the part's name
  Place place;
};

/// A port of a loss or metric with its sources; slot and element as in Inputs.
struct PortBinding {
  std::string port;
  std::size_t slot = 0;
  bool is_list = false;
  bool detach = false;  ///< the teacher's side of a loss: no gradient flows there
  std::vector<Source> sources;
};

/// One [[loss]] of one stage.
struct Term {
  std::string name;
  Place place;
  std::unique_ptr<LossInstance> loss;
  std::vector<PortBinding> ports;
  double weight = 1.0;         ///< of this step; schedules change it
  double base_weight = 1.0;    ///< as in the file (baseline: scaled so that all sum to 1)
  bool of_teacher = false;     ///< has a teacher.* port
  bool takes_teacher = false;  ///< binds a tap or part of a teacher to any port: what a learning teacher is taught, too
  bool needs_labels = false;
  std::size_t parts = 0;  ///< index into Arm::part_lists and Leg's parts
};

/// The trainable parts and buffers of the terms of one name and id; they live through all stages.
struct TermParts {
  std::string owner;  ///< "loss.hint"
  std::shared_ptr<const PartList> list;
};

/// One stage of one arm.
struct StagePlan {
  std::string name;
  int64_t steps = 0;
  int64_t epochs = 0;
  std::vector<Text> freeze;
  std::vector<Term> terms;
  OptimizerSettings optimizer;
  OptimizerValues optimizer_values;  ///< of this step; schedules change them
  bool keeps_optimizer_state = false;
  Schedules schedules;
  std::vector<Wants> wants;  ///< by model, as in Source::model
};

/// One way of training the student: distilled, or the baseline without the teacher's terms.
struct Arm {
  bool baseline = false;
  std::vector<StagePlan> stages;
  std::vector<TermParts> part_lists;
  std::vector<int64_t> samples;  ///< of the training split, from which batches are drawn
  int64_t steps() const;
};

enum class TeacherKind { frozen, average, learning };

struct TeacherModel {
  std::string name;
  TeacherKind kind = TeacherKind::frozen;
  std::unique_ptr<ModelInstance> model;  ///< null for an average: it uses the student's
  Parts parts;                           ///< frozen teachers; the others' belong to the leg
  Precision precision = Precision::fp32;
  double decay = 0.0;          ///< average
  bool training_mode = false;  ///< a loss asked for batch statistics (OFD)
  std::string weights_hash;    ///< of its parts
  Place place;
  std::string origin;  ///< "trained from FILE", "weights FILE": for the plan
  std::string label;   ///< "mlp 800-800": its model and the sizes written in the file
};

/// One metric with its bindings.
struct MetricUse {
  std::unique_ptr<MetricInstance> metric;
  std::vector<PortBinding> ports;
  bool of_teacher = false;
  bool shown = true;  ///< false: added by the host for the closing table only
};

/// Builds components: looks them up, checks parameters, opens plugins.
class Maker {
 public:
  Maker(Registry& registry, Arguments facts) : registry_(&registry), facts_(std::move(facts)) {}
  Origin origin(const Component& use, kdh_kind kind, const std::string& name);
  Creation creation(const Component& use, kdh_kind kind, std::vector<PortShape> shapes);
  const ComponentInfo& info(const Component& use, kdh_kind kind);
  Registry& registry() { return *registry_; }
  Arguments& facts() { return facts_; }
  /// Plugin files used so far with their hashes, for the manifest.
  std::vector<std::pair<std::string, std::string>> used_plugins() const;

 private:
  Registry* registry_;
  Arguments facts_;
  std::vector<const PluginFile*> used_;
};

/// How a teacher that `from` names is brought: given its file, returns a safetensors file of its student and that
/// student's component. train/run.hpp does it for a run; `check` gives initial weights instead.
struct TeacherFromFile {
  Component component;
  std::optional<std::string> weights;  ///< none: initial weights stand in
};
using TeacherMaker = std::function<TeacherFromFile(const Teacher&)>;

class Assembly {
 public:
  /// `experiment` has been checked (plugin/experiment_check.hpp). Errors name the line that asked for what failed.
  Assembly(const Experiment& experiment, Registry& registry, at::Device device, const TeacherMaker& teacher_from);

  const Experiment& experiment() const { return *experiment_; }
  at::Device device() const { return device_; }
  at::ScalarType floating() const { return floating_; }
  const DatasetInstance& dataset() const { return *dataset_; }
  const Subsets& subsets() const { return subsets_; }
  Loader& loader() { return *loader_; }
  Augment& augment() { return *augment_; }
  ModelInstance& student() { return *student_; }
  std::vector<TeacherModel>& teachers() { return teachers_; }
  std::vector<Arm>& arms() { return arms_; }
  std::vector<MetricUse>& metrics() { return metrics_; }
  Maker& maker() { return maker_; }
  int64_t classes() const { return dataset_->info().classes; }
  /// Shapes of all outputs of a model for one batch, found by the dry forward: name and shape, 0-th the student.
  const std::vector<PortShape>& outputs(std::size_t model) const { return outputs_[model]; }
  bool channels_last() const { return channels_last_; }

  /// Parts of a new student, on the device, with starting `weights` applied.
  Parts new_student(int64_t seed) const;
  /// Parts of a loss term or learning teacher, on the device.
  Parts new_parts(const std::shared_ptr<const PartList>& list, const std::string& owner, int64_t seed) const;
  /// 0: the student; n: teacher n - 1, which for an average is the student's model, too.
  const ModelInstance& model(std::size_t index) const {
    return index == 0 || !teachers_[index - 1].model ? *student_ : *teachers_[index - 1].model;
  }
  ModelInstance& model(std::size_t index) { return const_cast<ModelInstance&>(std::as_const(*this).model(index)); }
  /// The output that a model is used for: its logits, where it has any, else the first.
  const std::string& main_output(std::size_t model) const;
  std::string model_name(std::size_t index) const { return index == 0 ? "student" : teachers_[index - 1].name; }
  /// Steps in which the training split is seen once: what "epoch" means, for the baseline too.
  int64_t steps_per_epoch() const;
  /// Gives a model the fields of a batch that it reads.
  void bind_fields(ModelInstance& model, const Batch& batch) const;
  /// One training batch as a leg of seed `seed` would see it first.
  Batch first_batch(int64_t seed);
  /// Metrics as the experiment names them, plus accuracy, nll and agreement where the data have classes.
  void make_metrics();

 private:
  void open_data();
  void make_student();
  void make_teachers(const TeacherMaker& teacher_from);
  void dry_forward();
  void make_arms();
  std::vector<std::string> field_names() const;
  std::vector<PortShape> field_shapes(const ComponentInfo& component) const;
  void make_terms(StagePlan& stage, Arm& arm, const std::vector<const LossTerm*>& terms);
  void make_schedules(StagePlan& stage, const std::vector<Schedule>& schedules, bool baseline);
  void find_wants(StagePlan& stage) const;
  std::vector<PortBinding> bind_metric(const ComponentInfo& info, const Component& use) const;
  Source resolve(const Text& source, const std::string& port, std::vector<Message>& problems) const;
  std::vector<PortShape> shapes_of(const std::vector<PortBinding>& ports) const;

  const Experiment* experiment_;
  at::Device device_;
  at::ScalarType floating_;
  Maker maker_;
  std::unique_ptr<DatasetInstance> dataset_;
  Subsets subsets_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<Augment> augment_;
  Batch probe_;  ///< a training batch, fields only
  std::unique_ptr<ModelInstance> student_;
  std::vector<TeacherModel> teachers_;
  std::vector<std::vector<PortShape>> outputs_;
  std::deque<LossTerm> own_terms_;  ///< made for the baseline, not written in the file
  std::vector<Arm> arms_;
  std::vector<MetricUse> metrics_;
  bool channels_last_ = false;
};

/// Where data sets are looked for beside their `root`: $KDHOST_DATA, the user's cache, datasets/ under each of
/// $XDG_DATA_DIRS.
std::vector<std::string> data_places();

}  // namespace kdhost
