// SPDX-License-Identifier: MIT
// kdhost eval: all metrics of trained weights on the test split. Of a run: each seed's student, distilled and alone. Of
// an experiment file: the student whose weights it names, and its trained teachers.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/engine.hpp"
#include "cli/run_weights.hpp"
#include "report/summary.hpp"
#include "report/text_table.hpp"
#include "train/evaluation.hpp"
#include "train/weights.hpp"

namespace kdhost {
namespace {

using Json = nlohmann::ordered_json;

/// One evaluated model.
struct Judged {
  std::string label;  ///< first cell of its row
  Json facts;         ///< what JSON says beside the numbers
  Evaluation test;
};

[[noreturn]] void refuse(Exit exit, const Place& place, std::string where, std::string what, std::string expected,
                         std::string mend) {
  Message message;
  message.place = place;
  message.where = std::move(where);
  message.what = std::move(what);
  message.expected = std::move(expected);
  message.mend = std::move(mend);
  throw Error(exit, std::move(message));
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
  Judge(const Options& options, const std::string& target, bool of_run) : of_run_(of_run) {
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
    }
    untrained_ = untrained_teachers(input_);
    assembly_ = assemble(input_);
    for (const std::string& name : untrained_)
      log::warn("teacher " + quoted(name) +
                " has not been trained yet: it and metrics that compare with it are left out");
    if (!untrained_.empty()) std::erase_if(assembly_->metrics(), [](const MetricUse& use) { return use.of_teacher; });
  }

  std::vector<Judged> all() {
    const std::int64_t samples = assembly_->dataset().info().samples[2];
    if (samples == 0) {
      refuse(Exit::data, input_.experiment.data.component.use.place, "", "the data set has no test split.",
             "Expected one to judge on.", "");
    }
    std::vector<std::int64_t> every(static_cast<std::size_t>(samples));
    std::iota(every.begin(), every.end(), 0);
    EvaluationSet test(*assembly_, Split::test, std::move(every));
    std::vector<Judged> judged;
    if (of_run_) {
      for (const TrainedStudent& student : students_) judged.push_back(student_of_run(test, student));
    } else {
      judge_file(test, judged);
    }
    return judged;
  }

  std::int64_t samples() const { return assembly_->dataset().info().samples[2]; }

 private:
  Judged student_of_run(EvaluationSet& test, const TrainedStudent& student) {
    Parts parts = assembly_->new_student(student.seed);
    load_weights(parts, Path(student.file), {}, {}, "student");
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
      judged.push_back({"student", {{"model", "student"}, {"weights", weights->value}}, test.student(parts)});
    }
    if (judged.empty()) {
      refuse(Exit::experiment, input_.experiment.student.component.use.place, "",
             "neither the student nor a teacher has trained weights.",
             "Expected weights = \"FILE.safetensors\" in [student] or [teacher], or the folder of a run.",
             "`kdhost run` trains them.");
    }
  }

  bool of_run_;
  std::vector<TrainedStudent> students_;
  RunInput input_;
  std::vector<std::string> untrained_;
  std::unique_ptr<Assembly> assembly_;
};

Json as_json(const std::vector<Judged>& judged, const std::string& target, std::int64_t samples) {
  Json models = Json::array();
  for (const Judged& one : judged) {
    Json model = one.facts;
    model["numbers"] = Json::object();
    for (const auto& [name, value] : one.test.numbers)
      model["numbers"][name] = std::isfinite(value) ? Json(value) : Json();
    models.push_back(std::move(model));
  }
  return {{"target", target}, {"split", "test"}, {"samples", samples}, {"models", std::move(models)}};
}

// A metric's main number is a column; further ones ("confusion_matrix.0.1") are for JSON.
Cells as_cells(const std::vector<Judged>& judged) {
  std::vector<std::string> metrics;
  for (const Judged& one : judged) {
    for (const auto& [name, value] : one.test.numbers) {
      const bool main = name.find('.') == std::string::npos;
      if (main && std::find(metrics.begin(), metrics.end(), name) == metrics.end()) metrics.push_back(name);
    }
  }
  Cells rows{{""}};
  for (const std::string& metric : metrics) {
    rows.front().push_back(heading_of(metric));
    if (metric == "accuracy") rows.front().emplace_back("error %");
  }
  for (const Judged& one : judged) {
    rows.push_back({one.label});
    for (const std::string& metric : metrics) {
      const auto value = one.test.find(metric);
      rows.back().push_back(value ? metric_text(metric, *value) : kNothing);
      if (metric == "accuracy") rows.back().push_back(value ? metric_text(metric, 1.0 - *value) : kNothing);
    }
  }
  return rows;
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
    std::cout << as_json(judged, target, judge.samples()).dump(2) << "\n";
    return;
  }
  std::cout << aligned(as_cells(judged)) << "\n" << with_commas(judge.samples()) << " test samples\n";
}

}  // namespace kdhost
