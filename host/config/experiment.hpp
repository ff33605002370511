// SPDX-License-Identifier: MIT
// The experiment: everything an experiment file can say, as plain structs with every default. Made by
// config/reader.hpp, written by config/writer.hpp, read by all layers above. The member initialisers are the
// defaults; config/schema.cpp holds name, range and meaning of each key, and nothing else does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "config/value.hpp"

namespace kdhost {

/// A value with the place it was written at, for messages of later layers. It converts to its value; equality
/// ignores the place. A default has a place that is not known().
template <class T>
struct Located {
  T value{};
  Place place{};

  Located() = default;
  Located(T v, Place p = {}) : value(std::move(v)), place(std::move(p)) {}
  operator const T&() const { return value; }
  friend bool operator==(const Located& a, const Located& b) { return a.value == b.value; }
  /// With anything its value can be compared with: numbers of another width, string literals.
  template <class U>
  requires(std::is_arithmetic_v<U> || std::is_enum_v<U> ||
           std::is_convertible_v<const U&, std::string_view>) friend bool
  operator==(const Located& a, const U& b) {
    return a.value == b;
  }
};

using Flag = Located<bool>;
using Integer = Located<std::int64_t>;
using Number = Located<double>;
using Text = Located<std::string>;
/// A path, made absolute by the reader; `value` can be opened as it is.
using Path = Located<std::string>;

/// Arithmetic of a model.
enum class Precision { fp32, bf16, fp64 };
/// Where teacher outputs are kept. `automatic` uses a cache only where it is exact.
enum class CacheMode { automatic, memory, disk, off };
/// Which batches a transform is applied to; `declared` leaves it to the component.
enum class TransformUse { declared, train, all };
enum class OptimizerKind { sgd, adam, adamw };
/// What happens when a loss or gradient is not finite.
enum class OnNonfinite { stop };
/// Library used for float32 matrix products: `library` is LibTorch's own choice.
enum class MatrixRoute { automatic, library, onednn };

/// A component named by the file: which one, and its parameters.
struct Component {
  /// Full id, e.g. "kdhost.kd"; empty where a teacher's file names it.
  Text use{};
  /// A table; exactly what the file says until the caller fills in the resolved parameters.
  Value params{};
  /// The plugin file or folder this component is taken from, where the file says so.
  std::optional<Path> path{};
  /// Where the whole table begins.
  Place place{};

  friend bool operator==(const Component& a, const Component& b) {
    return a.use == b.use && a.params == b.params && a.path == b.path;
  }
};

/// One [[data.transform]].
struct Transform {
  Component component{};
  /// Named by schedules; the last part of the id by default.
  Text name{};
  Located<TransformUse> on{TransformUse::declared};
  bool operator==(const Transform&) const = default;
};

/// [data]
struct DataSettings {
  Component component{};
  Integer batch{64};
  /// Batch size of validation, test and teacher evaluation; absent: `batch`.
  std::optional<Integer> eval_batch{};
  /// Samples held out of the training split.
  Integer validation{0};
  /// Classes whose samples are left out of training; validation and test keep them. Absent: none.
  std::optional<std::vector<Integer>> omit_classes{};
  /// Samples used for training, drawn per class; absent: all.
  std::optional<Integer> train{};
  /// Training samples that keep their label; absent: all.
  std::optional<Integer> labels{};
  Flag shuffle{true};
  Flag drop_last{false};
  Integer split_seed{0};
  /// Replayed augmentations of each sample; 0: fresh ones in every epoch.
  Integer views{0};
  std::vector<Transform> transforms{};
  bool operator==(const DataSettings&) const = default;
};

/// One pair of `rename`: a tensor called `from` in the weights file is `to` in the model.
struct Rename {
  Text from{};
  Text to{};
  bool operator==(const Rename&) const = default;
};

/// One [teacher] or [[teacher]].
struct Teacher {
  /// "teacher" by default; the prefix of its taps where there are several.
  Text name{"teacher"};
  /// `use` is empty where `from` or `ema_of` gives the model.
  Component component{};
  /// Experiment file whose student is this teacher.
  std::optional<Path> from{};
  std::optional<Path> weights{};
  std::vector<Rename> rename{};
  Located<CacheMode> cache{CacheMode::automatic};
  /// "student": the teacher is a moving average of it.
  std::optional<Text> ema_of{};
  Number ema_decay{0.999};
  /// Learns together with the student.
  Flag train{false};
  bool operator==(const Teacher&) const = default;
};

/// [student]
struct Student {
  Component component{};
  std::optional<Path> weights{};
  std::vector<Rename> rename{};
  /// Name patterns (* and ?) of the tensors taken from `weights`; empty: all, and all must be there.
  std::vector<Text> load{};
  bool operator==(const Student&) const = default;
};

/// One line of `inputs`: a port or side, and the taps it takes.
struct Binding {
  /// "student.features" (a port), or "student" / "teacher" (a side).
  Text port{};
  /// Each `[model:]tap`, `[model:]param/NAME` or `[model:]buffer/NAME`.
  std::vector<Text> taps{};
  /// Written as a list, even one of length 1.
  bool is_list = false;
  bool operator==(const Binding&) const = default;
};

/// One [[loss]]: a loss term.
struct LossTerm {
  Component component{};
  /// The last part of the id by default.
  Text name{};
  Number weight{1.0};
  Flag enabled{true};
  std::vector<Binding> inputs{};
  bool operator==(const LossTerm&) const = default;
};

/// One [[schedule]].
struct Schedule {
  /// What is driven, e.g. "loss.kd.params.temperature".
  Text target{};
  Component component{};
  /// The scheduler's value multiplies the number in the file instead of replacing it.
  Flag factor{false};
  bool operator==(const Schedule&) const = default;
};

/// [optimizer]
struct OptimizerSettings {
  Located<OptimizerKind> use{OptimizerKind::adam};
  Number lr{1e-3};
  Number momentum{0.0};
  Flag nesterov{false};
  Number beta1{0.9};
  Number beta2{0.999};
  Number eps{1e-8};
  Number weight_decay{0.0};
  /// False: biases and normalisation weights are not decayed.
  Flag decay_norm_bias{true};
  /// Largest Euclidean norm of all gradients together; 0: not clipped.
  Number clip_norm{0.0};
  bool operator==(const OptimizerSettings&) const = default;
};

/// [train]
struct TrainSettings {
  /// Exactly one of epochs and steps is set unless there are stages, which then set their own.
  std::optional<Integer> epochs{};
  std::optional<Integer> steps{};
  /// Batches whose gradients are added up for one optimizer step.
  Integer accumulate{1};
  /// A line of metrics.jsonl every so many optimizer steps.
  Integer log_steps{50};
  /// A checkpoint every so many optimizer steps; 0: at the end of each epoch only.
  Integer checkpoint_steps{0};
  /// Validation every so many epochs.
  Integer evaluate_epochs{1};
  Located<Precision> precision{Precision::fp32};
  /// Absent: the student's precision.
  std::optional<Located<Precision>> teacher_precision{};
  bool operator==(const TrainSettings&) const = default;
};

/// One [[stage]]. What it does not write it inherits from the file.
struct Stage {
  Text name{};
  std::optional<Integer> epochs{};
  std::optional<Integer> steps{};
  /// Name patterns (* and ?) of student parameters that do not learn in this stage.
  std::vector<Text> freeze{};
  std::optional<std::vector<LossTerm>> losses{};
  std::optional<OptimizerSettings> optimizer{};
  std::optional<std::vector<Schedule>> schedules{};
  Place place{};

  friend bool operator==(const Stage& a, const Stage& b) {
    return a.name == b.name && a.epochs == b.epochs && a.steps == b.steps && a.freeze == b.freeze &&
           a.losses == b.losses && a.optimizer == b.optimizer && a.schedules == b.schedules;
  }
};

/// One [[metric]].
struct Metric {
  Component component{};
  bool operator==(const Metric&) const = default;
};

/// [baseline]
struct BaselineSettings {
  Flag enabled{true};
  bool operator==(const BaselineSettings&) const = default;
};

/// [numerics]: what decides the bits of a run beside the mathematics.
struct NumericsSettings {
  Located<OnNonfinite> on_nonfinite{OnNonfinite::stop};
  /// "auto", "cpu", "cuda" or "cuda:N".
  Text device{"auto"};
  /// Threads for operators; 0: chosen at start from what is free, then recorded.
  Integer threads{0};
  Located<MatrixRoute> matrix_route{MatrixRoute::automatic};
  /// Batches the teacher sees at once; 0: measured at start, then recorded.
  Integer teacher_chunk{0};
  bool operator==(const NumericsSettings&) const = default;
};

/// The whole experiment file. Equality ignores places and the file name.
struct Experiment {
  /// The file given on the command line, as given.
  std::string file{};
  /// All files read, this one first, then its includes in the order read.
  std::vector<std::string> files{};

  std::string title{};
  std::vector<Integer> seeds{Integer{1}};
  /// Plugin files or folders looked into first.
  std::vector<Path> plugins{};
  DataSettings data{};
  std::vector<Teacher> teachers{};
  Student student{};
  std::vector<LossTerm> losses{};
  std::vector<Schedule> schedules{};
  OptimizerSettings optimizer{};
  TrainSettings train{};
  std::vector<Stage> stages{};
  std::vector<Metric> metrics{};
  BaselineSettings baseline{};
  NumericsSettings numerics{};

  friend bool operator==(const Experiment& a, const Experiment& b) {
    return a.title == b.title && a.seeds == b.seeds && a.plugins == b.plugins && a.data == b.data &&
           a.teachers == b.teachers && a.student == b.student && a.losses == b.losses && a.schedules == b.schedules &&
           a.optimizer == b.optimizer && a.train == b.train && a.stages == b.stages && a.metrics == b.metrics &&
           a.baseline == b.baseline && a.numerics == b.numerics;
  }
};

/// The names an enumeration has in the file, in declaration order ("auto" for `automatic`). The argument only
/// chooses the enumeration.
const std::vector<std::string>& choices_of(Precision);
const std::vector<std::string>& choices_of(CacheMode);
const std::vector<std::string>& choices_of(TransformUse);
const std::vector<std::string>& choices_of(OptimizerKind);
const std::vector<std::string>& choices_of(OnNonfinite);
const std::vector<std::string>& choices_of(MatrixRoute);

/// The name of one value.
template <class E>
std::string name_of(E value) {
  return choices_of(value)[static_cast<std::size_t>(value)];
}

/// Every plugin file or folder the experiment names, in the order they are searched: first `path` of components in
/// file order, then `plugins`.
std::vector<Path> plugin_paths(const Experiment& experiment);

/// The last part of an id: "kd" of "kdhost.kd".
std::string last_part(const std::string& id);

/// A number a schedule may drive, taken apart. `P` of `loss.NAME.params.P` stands in `key`.
struct Target {
  enum class Kind { loss_weight, loss_param, optimizer, student_param, teacher_param, transform_param };
  Kind kind = Kind::loss_weight;
  /// Loss term, teacher or transform; empty for optimizer and student.
  std::string name{};
  /// Parameter or optimizer key; "weight" for a loss weight.
  std::string key{};
  bool operator==(const Target&) const = default;
};

/// Takes a schedule's target apart; nothing where the text has none of the known forms. Names are not looked up.
/// `teacher.params.P` gets the name of the first of `teachers`.
std::optional<Target> parse_target(const std::string& text, const std::vector<Teacher>& teachers);

}  // namespace kdhost
