// SPDX-License-Identifier: MIT
// kdhost eval: all metrics of trained weights on the test or the validation split. Of a run: each seed's student,
// distilled and alone. Of an experiment file: the student whose weights it names, and its trained teachers. --add
// changes single numbers of the student before it is judged.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"
#include "cli/engine.hpp"
#include "cli/eval_tables.hpp"
#include "cli/run_weights.hpp"
#include "tensor/aten.hpp"
#include "train/evaluation.hpp"
#include "train/weights.hpp"

namespace kdhost {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void refuse(Exit exit, const Place& place, std::string where, std::string what, std::string expected,
                         std::string mend) {
  throw Error(exit, Message{place, std::move(where), std::move(what), std::move(expected), std::move(mend)});
}

[[noreturn]] void refuse_addition(const Addition& addition, const std::string& what, std::string expected,
                                  std::string mend = "") {
  refuse(Exit::usage, {}, "kdhost eval", "--add " + printable(addition.text) + ": " + what, std::move(expected),
         std::move(mend));
}

// Parameters of any size as a person reads them: the first few, and how many there are beside.
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kFew = 8;
  if (names.size() <= kFew) return join(names);
  return join({names.begin(), names.begin() + kFew}) + " and " + std::to_string(names.size() - kFew) + " more";
}

void add_number(Parts& student, const Addition& addition) {
  const auto slot = student.find(addition.parameter);
  if (!slot || student.spec(*slot).role == PartRole::buffer) {
    std::vector<std::string> names;
    for (const PartSpec& part : student.list()) {
      if (part.role != PartRole::buffer) names.push_back(part.name);
    }
    refuse_addition(addition, "the student has no parameter " + quoted(addition.parameter) + ".",
                    "Its parameters: " + some_of(names) + ".", did_you_mean(addition.parameter, names));
  }
  at::Tensor changed = student[*slot].detach().clone();
  const std::string shape = quoted(addition.parameter) + " has the shape " + shape_text(changed.sizes());
  if (changed.dim() != static_cast<std::int64_t>(addition.index.size())) {
    refuse_addition(addition, shape + ".", "Expected one index a dimension: " + std::to_string(changed.dim()) + ".");
  }
  at::Tensor element = changed;
  for (const std::int64_t i : addition.index) {
    if (i >= element.size(0)) {
      refuse_addition(addition, shape + ", and index " + std::to_string(i) + " lies outside.",
                      "Expected 0 to " + std::to_string(element.size(0) - 1) + ".");
    }
    element = element.select(0, i);
  }
  element.add_(addition.number);
  student.copy_from(*slot, changed, "--add");
}

// Teachers that `from` names and nobody has trained yet; what is measured against them would mean nothing.
std::vector<std::string> untrained_teachers(RunInput& input) {
  std::vector<std::string> names;
  for (const Teacher& teacher : input.experiment.teachers) {
    if (!teacher.from) continue;
    if (!trained_teacher(*input.teacher_files.at(teacher.name.value), teacher, /*may_train=*/false).weights)
      names.push_back(teacher.name.value);
  }
  return names;
}

class Judge {
 public:
  Judge(const Options& options, const std::string& target, bool of_run) : options_(options), of_run_(of_run) {
    if (of_run) students_ = trained_students(target, options);
    input_ = read_run_input(of_run ? target + "/resolved.toml" : target, options);
    Student& student = input_.experiment.student;
    if (of_run) {
      // The run's own weights take the place of those it started from.
      student.weights.reset();
      student.rename.clear();
      student.load.clear();
    } else if (!student.weights && input_.experiment.teachers.empty()) {
      refuse(Exit::experiment, student.component.use.place, "", "the student has no trained weights.",
             "Expected weights = \"FILE.safetensors\" in [student], or the folder of a run.", "");
    } else if (!student.weights && !options.additions.empty()) {
      refuse_addition(options.additions.front(), "the file names no weights of a student.",
                      "Expected weights = \"FILE.safetensors\" in [student], or the folder of a run.");
    }
    untrained_ = untrained_teachers(input_);
    assembly_ = assemble(input_);
    for (const std::string& name : untrained_)
      log::warn("teacher " + quoted(name) +
                " has not been trained yet: it and metrics that compare with it are left out");
    if (!untrained_.empty()) std::erase_if(assembly_->metrics(), [](const MetricUse& use) { return use.of_teacher; });
  }

  std::vector<Judged> all() {
    EvaluationSet set = samples_to_judge();
    samples_ = set.size();
    std::vector<Judged> judged;
    if (of_run_) {
      for (const TrainedStudent& student : students_) judged.push_back(student_of_run(set, student));
    } else {
      judge_file(set, judged);
    }
    return judged;
  }

  /// How many samples all() judged on.
  std::int64_t samples() const { return samples_; }

 private:
  EvaluationSet samples_to_judge() {
    const Place& place = input_.experiment.data.component.use.place;
    if (options_.split == EvalSplit::validation) {
      const Subsets& subsets = assembly_->subsets();
      if (subsets.validation.empty()) {
        refuse(Exit::data, place, "", "there are no validation samples.",
               "Expected data.validation above 0, or a data set with a validation split of its own.", "");
      }
      return {*assembly_, subsets.validation_split, subsets.validation};
    }
    if (assembly_->dataset().info().samples[2] == 0)
      refuse(Exit::data, place, "", "the data set has no test split.", "Expected one to judge on.", "");
    return test_set(*assembly_);
  }

  Judged student_of_run(EvaluationSet& test, const TrainedStudent& student) {
    Parts parts = assembly_->new_student(student.seed);
    load_weights(parts, Path(student.file), {}, {}, "student");
    for (const Addition& addition : options_.additions) add_number(parts, addition);
    const std::string arm = student.baseline ? "alone" : "distilled";
    Json facts = {{"model", "student"},
                  {"seed", student.seed},
                  {"arm", student.baseline ? "baseline" : "distilled"},
                  {"weights", student.file}};
    return {"student " + arm + ", seed " + std::to_string(student.seed), std::move(facts), test.student(parts)};
  }

  void judge_file(EvaluationSet& test, std::vector<Judged>& judged) {
    for (std::size_t i = 0; i < assembly_->teachers().size(); ++i) {
      const TeacherModel& teacher = assembly_->teachers()[i];
      const bool untrained = std::find(untrained_.begin(), untrained_.end(), teacher.name) != untrained_.end();
      if (teacher.kind != TeacherKind::frozen || untrained) continue;
      const std::string label = teacher.name == "teacher" ? teacher.name : "teacher " + printable(teacher.name);
      judged.push_back({label, {{"model", teacher.name}, {"weights", teacher.origin}}, test.teacher(i)});
    }
    if (const auto& weights = input_.experiment.student.weights) {
      Parts parts = assembly_->new_student(input_.experiment.seeds.front().value);
      for (const Addition& addition : options_.additions) add_number(parts, addition);
      judged.push_back({"student", {{"model", "student"}, {"weights", weights->value}}, test.student(parts)});
    }
    if (judged.empty()) {
      refuse(Exit::experiment, input_.experiment.student.component.use.place, "",
             "neither the student nor a teacher has trained weights.",
             "Expected weights = \"FILE.safetensors\" in [student] or [teacher], or the folder of a run.",
             "`kdhost run` trains them.");
    }
  }

  const Options& options_;
  bool of_run_;
  std::vector<TrainedStudent> students_;
  RunInput input_;
  std::vector<std::string> untrained_;
  std::unique_ptr<Assembly> assembly_;
  std::int64_t samples_ = 0;
};

const char* name_of_split(EvalSplit split) { return split == EvalSplit::validation ? "validation" : "test"; }

Json as_json(const std::vector<Judged>& judged, const Options& options, std::int64_t samples) {
  Json models = Json::array();
  for (const Judged& one : judged) {
    Json model = one.facts;
    model["numbers"] = Json::object();
    for (const auto& [name, value] : one.numbers.numbers)
      model["numbers"][name] = std::isfinite(value) ? Json(value) : Json();
    models.push_back(std::move(model));
  }
  Json json = {{"target", options.arguments.front()}, {"split", name_of_split(options.split)}, {"samples", samples}};
  if (!options.additions.empty()) {
    json["added"] = Json::array();
    for (const Addition& addition : options.additions) json["added"].push_back(addition.text);
  }
  json["models"] = std::move(models);
  return json;
}

}  // namespace

void evaluate(const Options& options) {
  const std::string& target = options.arguments.front();
  const bool of_run = std::filesystem::path(target).extension() != ".toml";
  if (!of_run && options.seed) {
    refuse(Exit::usage, {}, "kdhost eval", "--seed is for the folder of a run.",
           "An experiment file names the weights of one student.", "");
  }
  Judge judge(options, target, of_run);
  const std::vector<Judged> judged = judge.all();
  if (options.json) {
    std::cout << as_json(judged, options, judge.samples()).dump(2) << "\n";
    return;
  }
  std::cout << aligned(metric_table(judged)) << class_tables(judged) << "\n"
            << with_commas(judge.samples()) << " " << name_of_split(options.split) << " samples\n";
  for (const Addition& addition : options.additions) std::cout << "added to the student: " << addition.text << "\n";
}

}  // namespace kdhost
