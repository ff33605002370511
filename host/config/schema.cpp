// SPDX-License-Identifier: MIT
// Every key of the experiment file: name, member, meaning, range. The order of the lines is the order of
// resolved.toml. Part of host/config.
#include "config/schema.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "config/schema_builder.hpp"

namespace kdhost {
namespace {

using schema_builder::Added;
using schema_builder::Codec;
using schema_builder::Table;

// A member as a function from its struct to a reference; works for nested members where a member pointer would not.
#define KDHOST_MEMBER(Struct, member) \
  [](void* s) -> auto& { return static_cast<Struct*>(s)->member; }

// Larger counts would overflow products such as batch * steps; no experiment comes near.
constexpr double kLargeCount = 1e12;

const TableSchema& transform_schema() {
  static const TableSchema schema = [] {
    Table<Transform> t("[[data.transform]]", "A transform of the batches, applied on the device in file order.");
    t.component("transform", true);
    t.key("name", KDHOST_MEMBER(Transform, name), "Name by which schedules address the transform.")
        .kind(KeyKind::name)
        .absent("the last part of the id");
    t.key("on", KDHOST_MEMBER(Transform, on),
          "Batches it is applied to: training only, all, or what the component declares itself to be.");
    return t.take();
  }();
  return schema;
}

const TableSchema& data_schema() {
  static const TableSchema schema = [] {
    Table<DataSettings> t("[data]", "The data set and how batches are drawn from it.");
    t.component("data set", true);
    t.key("batch", KDHOST_MEMBER(DataSettings, batch), "Samples in a training batch.")
        .at_least(1)
        .at_most(1e9)
        .unit("samples");
    t.key("eval_batch", KDHOST_MEMBER(DataSettings, eval_batch), "Samples in a batch of validation and test.")
        .at_least(1)
        .at_most(1e9)
        .unit("samples")
        .absent("the same as batch");
    t.key("validation", KDHOST_MEMBER(DataSettings, validation),
          "Samples held out of the training split, by which the best epoch is chosen.")
        .at_least(0)
        .at_most(kLargeCount)
        .unit("samples");
    t.key("omit_classes", KDHOST_MEMBER(DataSettings, omit_classes),
          "Classes whose samples are left out of training; validation and test keep them.")
        .at_least(0)
        .at_most(kLargeCount)
        .absent("none");
    t.key("train", KDHOST_MEMBER(DataSettings, train), "Training samples used, drawn per class.")
        .at_least(1)
        .at_most(kLargeCount)
        .unit("samples")
        .absent("all");
    t.key("labels", KDHOST_MEMBER(DataSettings, labels),
          "Training samples that keep their label; the others reach only terms that need none.")
        .at_least(1)
        .at_most(kLargeCount)
        .unit("samples")
        .absent("all");
    t.key("shuffle", KDHOST_MEMBER(DataSettings, shuffle),
          "A new sample order in each epoch; false keeps the order of the file.");
    t.key("drop_last", KDHOST_MEMBER(DataSettings, drop_last), "Leaves out the last batch where it is not full.");
    t.key("split_seed", KDHOST_MEMBER(DataSettings, split_seed),
          "Seed of the validation split and of the train and labels subsets.")
        .at_least(0);
    t.key("views", KDHOST_MEMBER(DataSettings, views),
          "Augmentations of each sample that are replayed in turn, so that teacher outputs can be kept; 0 draws "
          "fresh ones in every epoch.")
        .at_least(0)
        .at_most(1e6);
    t.tables("transform", KDHOST_MEMBER(DataSettings, transforms), transform_schema());
    return t.take();
  }();
  return schema;
}

const TableSchema& teacher_schema() {
  static const TableSchema schema = [] {
    Table<Teacher> t("[teacher]", "The model the student learns from.");
    t.key("name", KDHOST_MEMBER(Teacher, name), "Name of the teacher; the prefix of its taps where there are several.")
        .kind(KeyKind::name);
    t.component("model", false);
    t.key("from", KDHOST_MEMBER(Teacher, from),
          "Experiment file whose student is this teacher; trained once, where it is not kept already.")
        .kind(KeyKind::path)
        .absent("the teacher is not trained on demand");
    t.key("weights", KDHOST_MEMBER(Teacher, weights), "File with trained weights.")
        .kind(KeyKind::path)
        .absent("no file");
    t.key("rename", KDHOST_MEMBER(Teacher, rename), "Pairs [name in the file, name in the model] for weights.");
    t.key("cache", KDHOST_MEMBER(Teacher, cache),
          "Where outputs are kept once computed; auto keeps them only where that is exact.");
    t.key("ema_of", KDHOST_MEMBER(Teacher, ema_of), "\"student\": the teacher is a moving average of the student.")
        .absent("the teacher does not follow another model");
    t.key("ema_decay", KDHOST_MEMBER(Teacher, ema_decay), "Share of the old average kept at each step with ema_of.")
        .at_least(0)
        .below(1);
    t.key("train", KDHOST_MEMBER(Teacher, train), "The teacher learns together with the student.");
    return t.take();
  }();
  return schema;
}

const TableSchema& student_schema() {
  static const TableSchema schema = [] {
    Table<Student> t("[student]", "The model that is trained.");
    t.component("model", true);
    t.key("weights", KDHOST_MEMBER(Student, weights), "File with weights to start from.")
        .kind(KeyKind::path)
        .absent("fresh initial weights");
    t.key("rename", KDHOST_MEMBER(Student, rename), "Pairs [name in the file, name in the model] for weights.");
    t.key("load", KDHOST_MEMBER(Student, load),
          "Patterns (* and ?) of the names taken from weights; an empty list takes all, and all must be there.");
    return t.take();
  }();
  return schema;
}

const TableSchema& loss_schema() {
  static const TableSchema schema = [] {
    Table<LossTerm> t("[[loss]]", "A term of the loss; the terms are added.");
    t.component("loss", true);
    t.key("name", KDHOST_MEMBER(LossTerm, name), "Name of the term in reports and targets.")
        .kind(KeyKind::name)
        .absent("the last part of the id");
    t.key("weight", KDHOST_MEMBER(LossTerm, weight), "Factor of the term in the sum.");
    t.key("enabled", KDHOST_MEMBER(LossTerm, enabled), "False leaves the term out.");
    t.key(
        "inputs", KDHOST_MEMBER(LossTerm, inputs),
        "Port or side = tap or list of taps, each [model:]tap; `kdhost inspect` lists the taps. tap@field is that of a "
        "forward in which the model sees another field of the batch in place of its input.");
    return t.take();
  }();
  return schema;
}

const TableSchema& schedule_schema() {
  static const TableSchema schema = [] {
    Table<Schedule> t("[[schedule]]", "A number that changes while training.");
    t.key("target", KDHOST_MEMBER(Schedule, target), "Path of the number, such as optimizer.lr or loss.kd.weight.")
        .required();
    t.component("scheduler", true);
    t.key("factor", KDHOST_MEMBER(Schedule, factor),
          "The scheduler's value multiplies the number of the file instead of replacing it.");
    return t.take();
  }();
  return schema;
}

void store_betas(OptimizerSettings& settings, const Value& value) {
  Codec<Number>::store(settings.beta1, value.list()[0]);
  Codec<Number>::store(settings.beta2, value.list()[1]);
}

Value load_betas(const OptimizerSettings& settings) {
  return Value(ValueList{Value(settings.beta1.value), Value(settings.beta2.value)});
}

const TableSchema& optimizer_schema() {
  static const TableSchema schema = [] {
    Table<OptimizerSettings> t("[optimizer]", "How gradients change the weights.");
    t.key("use", KDHOST_MEMBER(OptimizerSettings, use), "The rule.");
    t.key("lr", KDHOST_MEMBER(OptimizerSettings, lr), "Learning rate.").at_least(0);
    t.key("momentum", KDHOST_MEMBER(OptimizerSettings, momentum), "Momentum of sgd.").at_least(0).below(1);
    t.key("nesterov", KDHOST_MEMBER(OptimizerSettings, nesterov), "Nesterov's form of the momentum of sgd.");
    t.special("betas", KeyKind::number_pair, "Decay of the averages of gradient and squared gradient (adam, adamw).",
              store_betas, load_betas)
        .at_least(0)
        .below(1);
    t.key("eps", KDHOST_MEMBER(OptimizerSettings, eps), "Added to the denominator (adam, adamw).").above(0);
    t.key("weight_decay", KDHOST_MEMBER(OptimizerSettings, weight_decay),
          "Decay of the weights: part of the gradient with sgd and adam, apart from it with adamw.")
        .at_least(0);
    t.key("decay_norm_bias", KDHOST_MEMBER(OptimizerSettings, decay_norm_bias),
          "Decays biases and the weights of normalisation layers too.");
    t.key("clip_norm", KDHOST_MEMBER(OptimizerSettings, clip_norm),
          "Largest Euclidean norm of all gradients together; 0 does not clip.")
        .at_least(0);
    return t.take();
  }();
  return schema;
}

template <class Struct>
void add_length(Table<Struct>& table, const std::string& absent) {
  table.key("epochs", KDHOST_MEMBER(Struct, epochs), "Length in epochs; set either epochs or steps.")
      .at_least(1)
      .at_most(1e9)
      .unit("epochs")
      .absent(absent);
  table.key("steps", KDHOST_MEMBER(Struct, steps), "Length in optimizer steps; set either epochs or steps.")
      .at_least(1)
      .at_most(kLargeCount)
      .unit("steps")
      .absent("epochs says it");
}

const TableSchema& train_schema() {
  static const TableSchema schema = [] {
    Table<TrainSettings> t("[train]", "Length and arithmetic of the training.");
    add_length(t, "10 without steps and stages");
    t.key("accumulate", KDHOST_MEMBER(TrainSettings, accumulate), "Batches whose gradients make one optimizer step.")
        .at_least(1)
        .at_most(1e9)
        .unit("batches");
    t.key("log_steps", KDHOST_MEMBER(TrainSettings, log_steps), "Optimizer steps between lines of metrics.jsonl.")
        .at_least(1)
        .at_most(kLargeCount)
        .unit("steps");
    t.key("checkpoint_steps", KDHOST_MEMBER(TrainSettings, checkpoint_steps),
          "Optimizer steps between checkpoints; 0 writes one at the end of each epoch only.")
        .at_least(0)
        .at_most(kLargeCount)
        .unit("steps");
    t.key("evaluate_epochs", KDHOST_MEMBER(TrainSettings, evaluate_epochs), "Epochs between validations.")
        .at_least(1)
        .at_most(1e9)
        .unit("epochs");
    t.key("precision", KDHOST_MEMBER(TrainSettings, precision), "Arithmetic of the student.");
    t.key("teacher_precision", KDHOST_MEMBER(TrainSettings, teacher_precision), "Arithmetic of the teacher.")
        .absent("the same as precision");
    return t.take();
  }();
  return schema;
}

const TableSchema& stage_schema() {
  static const TableSchema schema = [] {
    Table<Stage> t("[[stage]]",
                   "A part of the training; it inherits loss, optimizer and schedule where it writes none.");
    t.key("name", KDHOST_MEMBER(Stage, name), "Name of the stage in reports.")
        .kind(KeyKind::name)
        .absent("stage1, stage2, ...");
    add_length(t, "steps says it");
    t.key("freeze", KDHOST_MEMBER(Stage, freeze), "Patterns (* and ?) of student parameters that do not learn here.");
    t.tables("loss", KDHOST_MEMBER(Stage, losses), loss_schema()).absent("the terms of the file");
    t.table("optimizer", KDHOST_MEMBER(Stage, optimizer), optimizer_schema()).absent("the optimizer of the file");
    t.tables("schedule", KDHOST_MEMBER(Stage, schedules), schedule_schema()).absent("the schedules of the file");
    t.located(KDHOST_MEMBER(Stage, place));
    return t.take();
  }();
  return schema;
}

const TableSchema& metric_schema() {
  static const TableSchema schema = [] {
    Table<Metric> t("[[metric]]", "A number measured on validation and test; the first one chooses the best epoch.");
    t.component("metric", true);
    return t.take();
  }();
  return schema;
}

const TableSchema& baseline_schema() {
  static const TableSchema schema = [] {
    Table<BaselineSettings> t("[baseline]", "The same student without the teacher's terms, to see what they bring.");
    t.key("enabled", KDHOST_MEMBER(BaselineSettings, enabled), "False trains no baseline.");
    return t.take();
  }();
  return schema;
}

const TableSchema& numerics_schema() {
  static const TableSchema schema = [] {
    Table<NumericsSettings> t("[numerics]", "What decides the bits of a run beside the mathematics.");
    t.key("on_nonfinite", KDHOST_MEMBER(NumericsSettings, on_nonfinite),
          "What happens when a loss or gradient is not finite.");
    t.key("device", KDHOST_MEMBER(NumericsSettings, device), "Where it is computed: auto, cpu, cuda or cuda:N.");
    t.key("threads", KDHOST_MEMBER(NumericsSettings, threads),
          "Threads for operators; 0 chooses at start from the processors that are free.")
        .at_least(0)
        .at_most(4096)
        .unit("threads");
    t.key("matrix_route", KDHOST_MEMBER(NumericsSettings, matrix_route),
          "Library of float32 matrix products; auto takes the faster one that keeps full precision.");
    t.key("teacher_chunk", KDHOST_MEMBER(NumericsSettings, teacher_chunk),
          "Batches the teacher computes at once; 0 chooses by a short measurement.")
        .at_least(0)
        .at_most(1e6)
        .unit("batches");
    return t.take();
  }();
  return schema;
}

// Bounds from here on only keep products from overflowing.
constexpr double kFarBound = 1e6;

// Bounds as a person writes them: 1000000000, not 1e+09.
std::string bound_text(double bound) {
  return std::abs(bound) < 1e15 && bound == std::floor(bound) ? std::to_string(std::llround(bound)) : shortest(bound);
}

std::string number_words(const Key& key, std::string words, bool all_bounds) {
  const bool show_most = key.most && (all_bounds || *key.most < kFarBound);
  if (!key.unit.empty()) words += " (" + key.unit + ")";
  if (key.least) words += (key.above_least ? ", above " : ", at least ") + bound_text(*key.least);
  if (show_most) {
    words += key.least ? " and " : ", ";
    words += (key.below_most ? "below " : "at most ") + bound_text(*key.most);
  }
  return words;
}

}  // namespace

const TableSchema& experiment_schema() {
  static const TableSchema schema = [] {
    Table<Experiment> t("", "An experiment of kdhost: what is trained, from whom, on what and how.");
    t.key("title", KDHOST_MEMBER(Experiment, title), "One line that says what the experiment is.");
    t.external("include", KeyKind::paths,
               "Experiment files read first: tables merge, later values win, arrays are replaced.");
    t.key("seeds", KDHOST_MEMBER(Experiment, seeds), "Each seed trains its own student.").at_least(0);
    t.key("plugins", KDHOST_MEMBER(Experiment, plugins), "Plugin files or folders that are searched first.")
        .kind(KeyKind::paths);
    t.table("data", KDHOST_MEMBER(Experiment, data), data_schema()).required();
    t.tables("teacher", KDHOST_MEMBER(Experiment, teachers), teacher_schema()).kind(KeyKind::table_or_tables);
    t.table("student", KDHOST_MEMBER(Experiment, student), student_schema()).required();
    t.tables("loss", KDHOST_MEMBER(Experiment, losses), loss_schema());
    t.tables("schedule", KDHOST_MEMBER(Experiment, schedules), schedule_schema());
    t.table("optimizer", KDHOST_MEMBER(Experiment, optimizer), optimizer_schema());
    t.table("train", KDHOST_MEMBER(Experiment, train), train_schema());
    t.tables("stage", KDHOST_MEMBER(Experiment, stages), stage_schema());
    t.tables("metric", KDHOST_MEMBER(Experiment, metrics), metric_schema()).absent("kdhost.accuracy");
    t.table("baseline", KDHOST_MEMBER(Experiment, baseline), baseline_schema());
    t.table("numerics", KDHOST_MEMBER(Experiment, numerics), numerics_schema());
    return t.take();
  }();
  return schema;
}

const Key* TableSchema::find(const std::string& name) const {
  const auto at = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.name == name; });
  return at == keys.end() ? nullptr : &*at;
}

std::vector<std::string> TableSchema::names() const {
  std::vector<std::string> result;
  for (const Key& key : keys) result.push_back(key.name);
  return result;
}

std::string Key::expectation(bool all_bounds) const {
  switch (kind) {
    case KeyKind::boolean:
      return "true or false";
    case KeyKind::integer:
      return number_words(*this, "an integer", all_bounds);
    case KeyKind::number:
      return number_words(*this, "a number", all_bounds);
    case KeyKind::string:
      return "a string";
    case KeyKind::id:
      return "a full id such as \"kdhost.mlp\"";
    case KeyKind::name:
      return "a name of letters, digits, '_' and '-'";
    case KeyKind::path:
      return "a path as a string";
    case KeyKind::choice:
      return choices.size() == 1 ? quoted(choices.front()) : "one of " + join(choices);
    case KeyKind::integers:
      return number_words(*this, "a list of integers", all_bounds);
    case KeyKind::strings:
      return "a list of strings";
    case KeyKind::paths:
      return "a list of paths";
    case KeyKind::number_pair:
      return number_words(*this, "a list of two numbers", all_bounds);
    case KeyKind::pairs:
      return "a list of pairs [\"old\", \"new\"] or a table \"old\" = \"new\"";
    case KeyKind::params:
      return "a table of parameters";
    case KeyKind::bindings:
      return "a table port = \"tap\" or port = [\"tap\", ...]";
    case KeyKind::table:
      return "a table";
    case KeyKind::tables:
      return "an array of tables, written [[" + name + "]]";
    case KeyKind::table_or_tables:
      return "a table [" + name + "] or an array of tables [[" + name + "]]";
  }
  return {};
}

}  // namespace kdhost
