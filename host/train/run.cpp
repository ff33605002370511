// SPDX-License-Identifier: MIT
#include "train/run.hpp"

#include <ATen/Context.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/atomic_file.hpp"
#include "base/log.hpp"
#include "base/process_usage.hpp"
#include "base/text.hpp"
#include "config/run_record.hpp"
#include "config/writer.hpp"
#include "train/dry_batch.hpp"
#include "train/environment.hpp"
#include "train/leg.hpp"
#include "train/run_folder.hpp"

namespace kdhost {
namespace {

std::string millions(int64_t n) {
  char text[32];
  if (n >= 100'000)
    std::snprintf(text, sizeof text, "%.2f M", static_cast<double>(n) * 1e-6);
  else
    std::snprintf(text, sizeof text, "%lld", static_cast<long long>(n));
  return text;
}

TeacherMaker maker_of(RunInput& input, bool may_train) {
  return [&input, may_train](const Teacher& t) {
    return trained_teacher(*input.teacher_files.at(t.name.value), t, may_train);
  };
}

int64_t parameters_of(const ModelInstance& model) {
  int64_t n = 0;
  for (const auto& p : *model.part_list())
    if (p.role != PartRole::buffer) {
      int64_t k = 1;
      for (int64_t s : p.sizes) k *= s;
      n += k;
    }
  return n;
}

/// A parameter of one value; empty for lists, and for those without a value.
std::string setting_text(const kdh_value& value) {
  switch (value.type) {
    case KDH_T_STRING:
      return {value.u.s, value.count};
    case KDH_T_BOOL:
      return value.u.i != 0 ? "true" : "false";
    case KDH_T_INT:
      return std::to_string(value.u.i);
    case KDH_T_FLOAT:
      return to_toml(Value(value.u.f));
    default:
      return {};
  }
}

std::vector<std::string> plan_lines(Assembly& a, const TeacherOutputs* outputs) {
  const Experiment& e = a.experiment();
  std::vector<std::string> lines;
  const auto& info = a.dataset().info();
  std::string data =
      "data      " + e.data.component.use.value + ": " + std::to_string(a.subsets().train.size()) + " training";
  if (const auto& omitted = e.data.omit_classes; omitted && !omitted->empty()) {
    std::vector<std::string> names;
    for (const Integer& one : *omitted) names.push_back(std::to_string(one.value));
    data += (names.size() == 1 ? " without class " : " without classes ") + join(names);
  }
  if (!a.subsets().all_labelled()) data += " (" + std::to_string(a.subsets().labelled.size()) + " with a label)";
  data += ", " + std::to_string(a.subsets().validation.size()) + " validation, " + std::to_string(info.samples[2]) +
          " test samples; batch " + std::to_string(e.data.batch.value);
  for (const auto& t : e.data.transforms) data += ", " + t.name.value;
  lines.push_back(data);
  for (std::size_t i = 0; i < a.teachers().size(); ++i) {
    const TeacherModel& t = a.teachers()[i];
    std::string line = "teacher   " + (t.name == "teacher" ? std::string() : t.name + ": ");
    if (t.model) line += std::string(t.model->id()) + ", " + millions(parameters_of(*t.model)) + " parameters, ";
    line += t.origin + (t.precision == Precision::bf16 ? ", bf16" : "");
    if (outputs) line += "; " + outputs->texts()[i];
    lines.push_back(line);
  }
  lines.push_back("student   " + std::string(a.student().id()) + ", " + millions(parameters_of(a.student())) +
                  " parameters, " + name_of(e.train.precision.value));
  if (!a.arms().empty())
    for (const auto& stage : a.arms().front().stages) {
      for (const auto& t : stage.terms) {
        std::string line = "loss      " + (stage.name.empty() ? "" : stage.name + ": ") + t.name + " (" +
                           std::string(t.loss->id()) + "), weight " + to_toml(Value(t.base_weight));
        const auto values = t.loss->params().values();
        for (std::size_t i = 0; i < values.size(); ++i) {
          if (const std::string text = setting_text(values[i].value); !text.empty())
            line += ", " + std::string(view(values[i].name)) + " " + text;
        }
        lines.push_back(line);
      }
    }
  for (const auto& s : e.schedules) lines.push_back("schedule  " + s.target.value + ": " + s.component.use.value);
  if (!a.arms().empty()) {
    const auto& arm = a.arms().front();
    lines.push_back("training  " + std::to_string(e.seeds.size()) + (e.seeds.size() == 1 ? " seed" : " seeds") +
                    (a.arms().size() > 1 ? ", distilled and alone, " : ", ") + std::to_string(arm.steps()) +
                    " steps each, " + name_of(e.optimizer.use.value) + ", learning rate " +
                    to_toml(Value(e.optimizer.lr.value)));
  }
  return lines;
}

/// What the numbers say beside the table: a teacher that is no better than the student alone explains most failures.
void judge(RunResult& r) {
  double alone = 0.0;
  int64_t n = 0;
  for (const auto& l : r.legs)
    if (l.baseline)
      if (const auto v = l.test_best.find(r.metric)) {
        alone += *v;
        ++n;
      }
  if (n == 0) return;
  alone /= static_cast<double>(n);
  for (const auto& t : r.teachers)
    if (const auto v = t.test.find(r.metric); v && (r.higher_is_better ? *v <= alone : *v >= alone)) {
      char text[200];
      std::snprintf(text, sizeof text, "teacher '%s' is no better than the student alone (%s %.4f against %.4f)",
                    t.name.c_str(), r.metric.c_str(), *v, alone);
      r.notes.emplace_back(text);
    }
}

std::string read_leg(const std::string& folder) { return folder + "/result.json"; }
}  // namespace

std::unique_ptr<Assembly> assemble(RunInput& input) {
  const at::Device device = find_device(input.experiment.numerics.device);
  choose_routes(input.experiment.numerics, device);
  return std::make_unique<Assembly>(input.experiment, *input.registry, device, maker_of(input, /*may_train=*/false));
}

std::vector<std::string> check_run(RunInput& input) {
  for (auto& [name, file] : input.teacher_files) check_run(*file);
  const auto assembly = assemble(input);
  std::vector<std::string> notes = dry_batch(*assembly);
  std::vector<std::string> lines = plan_lines(*assembly, nullptr);
  for (auto& n : notes) lines.push_back("note      " + n);
  return lines;
}

RunResult run_experiment(RunInput& input, const RunOptions& options) {
  const double started = now_seconds();
  Experiment& e = input.experiment;
  const std::string hash = experiment_hash(e);
  const bool resumes = options.resume;
  RunFolder folder =
      resumes ? RunFolder::resume(options.out, e.file, hash) : RunFolder::create(options.out, e.file, hash);
  Experiment pinned = e;
  const auto recorded = resumes ? recorded_numerics(folder.path()) : std::nullopt;
  // Without a record the run was stopped before its first step, and has chosen nothing yet.
  bool begun = recorded.has_value();
  if (recorded) {
    pinned.numerics = *recorded;
    if (e.numerics.device.value != "auto") pinned.numerics.device = e.numerics.device;
  }
  try {
    const at::Device device = find_device(pinned.numerics.device);
    const Routes routes = choose_routes(pinned.numerics, device);
    Assembly assembly(e, *input.registry, device, maker_of(input, /*may_train=*/true));
    if (assembly.arms().empty())
      throw Error(Exit::experiment,
                  Message{e.data.component.use.place, "", "the data set has no training samples.",
                          "Expected samples to train on.", "Use `kdhost eval` to judge without training."});
    RunResult result;
    result.notes = dry_batch(assembly);
    // Teachers of earlier runs may have set their own routes while they were trained.
    choose_routes(
        [&] {
          NumericsSettings n = pinned.numerics;
          n.threads = Integer(routes.threads);
          n.matrix_route = Located<MatrixRoute>(routes.matrix);
          return n;
        }(),
        device);
    TeacherOutputs outputs(assembly, cache_folder() + "/teacher-outputs");
    const int64_t chunk = outputs.chunk(pinned.numerics.teacher_chunk.value);
    pinned.numerics.threads = Integer(routes.threads);
    pinned.numerics.matrix_route = Located<MatrixRoute>(routes.matrix);
    pinned.numerics.teacher_chunk = Integer(chunk);
    pinned.numerics.device = Text(device.str());

    for (const auto& line : plan_lines(assembly, &outputs)) log::info(line);
    log::info("device    " + device.str() + ", " + std::to_string(routes.threads) +
              (routes.threads == 1 ? " thread" : " threads") + "; " + routes.text +
              (chunk > 1 ? "; teacher over " + std::to_string(chunk) + " batches at once" : ""));
    if (!options.launch.empty()) log::info("launch    " + options.launch);
    for (const auto& n : result.notes) log::warn(n);
    log::info("folder    " + folder.path());
    if (!begun) {
      write_file(folder.file("experiment.toml"), read_file(e.file));
      write_file(folder.file("manifest.json"), manifest_json(pinned, assembly, hash));
      // Last, since it says that the run has begun and the others are there.
      write_file(folder.file("resolved.toml"), resolved_toml(pinned));
      begun = true;
    }
    if (resumes) folder.set_state(RunState::running);

    EvaluationSet validation(assembly, assembly.subsets().validation_split, assembly.subsets().validation);
    EvaluationSet test = test_set(assembly);
    MetricsLog metrics(folder.file("metrics.jsonl"));
    result.title = e.title.empty() ? std::filesystem::path(e.file).stem().string() : e.title;
    result.experiment = e.file;
    result.folder = folder.path();
    if (!assembly.metrics().empty()) {
      result.metric = last_part(std::string(assembly.metrics().front().metric->id()));
      result.higher_is_better = assembly.metrics().front().metric->higher_is_better();
    }
    result.has_validation = !validation.empty();
    result.student_id = std::string(assembly.student().id());
    result.student_parameters = parameters_of(assembly.student());
    const std::string environment = environment_text(pinned, device, assembly.maker());
    const std::size_t legs = e.seeds.size() * assembly.arms().size();
    for (const auto& seed : e.seeds)
      for (Arm& arm : assembly.arms()) {
        const std::string place = folder.leg(seed.value, arm.baseline);
        if (std::filesystem::exists(read_leg(place))) {
          result.legs.push_back(run_result_from_json(read_file(read_leg(place)), read_leg(place)).legs.at(0));
          continue;
        }
        Leg leg({assembly, outputs, validation, test, metrics, hash, environment, chunk,
                 std::to_string(result.legs.size() + 1) + "/" + std::to_string(legs), options.allow_changes},
                arm, seed.value, place);
        result.legs.push_back(leg.run());
        if (result.first_step_seconds == 0.0) result.first_step_seconds = leg.first_step_seconds();
        RunResult one = result;
        one.legs = {result.legs.back()};
        write_file(read_leg(place), to_json(one));
      }
    for (std::size_t i = 0; i < assembly.teachers().size(); ++i) {
      TeacherModel& t = assembly.teachers()[i];
      if (t.kind != TeacherKind::frozen) continue;
      result.teachers.push_back({t.name, std::string(t.model->id()), t.origin, parameters_of(*t.model), test.teacher(i),
                                 latency_ms(assembly, i + 1, t.parts), t.label});
    }
    Parts student = assembly.new_student(e.seeds.front().value);
    result.student_latency_ms = latency_ms(assembly, 0, student);
    judge(result);
    result.seconds = now_seconds() - started;
    result.peak_memory_mib = peak_memory_mib();
    write_file(folder.file("summary.json"), to_json(result));
    folder.set_state(RunState::done);
    return result;
  } catch (const Error& error) {
    const bool interrupted = error.exit() == Exit::interrupted;
    // An experiment that was refused has trained nothing and leaves nothing.
    if (!begun && !resumes && !interrupted) {
      folder.abandon();
      throw;
    }
    try {
      folder.set_state(interrupted ? RunState::interrupted : RunState::failed);
    } catch (const Error& second) {
      // The first error is what the user must know; a full disk, for one, causes both. The run can be resumed all the
      // same.
      log::warn(second.what());
    }
    throw;
  }
}

}  // namespace kdhost
