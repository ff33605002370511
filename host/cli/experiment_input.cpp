// SPDX-License-Identifier: MIT
// Reading of an experiment and of its teachers' files, see experiment_input.hpp.
#include "cli/experiment_input.hpp"

#include <utility>
#include <vector>

#include "base/error.hpp"
#include "cli/front.hpp"
#include "config/reader.hpp"
#include "config/toml_text.hpp"
#include "plugin/experiment_check.hpp"

namespace kdhost {
namespace {

namespace fs = std::filesystem;

class InputReader {
 public:
  InputReader(const Options& options, const HostAbi& host) : options_(options), host_(host) {}

  ExperimentInput read(const std::string& file, bool from_command_line) {
    ExperimentInput input;
    ReadOptions read_options;
    // --set speaks of the file on the command line only; a teacher's file stands for itself.
    if (from_command_line) read_options.overrides = options_.sets;
    read_options.further_checks = [&](Experiment& experiment, std::vector<Message>& problems) {
      input.registry = std::make_unique<Registry>(host_, plugin_places(options_, &experiment));
      ExperimentProblems found = find_problems(experiment, *input.registry);
      if (found.messages.empty()) return;
      if (problems.empty()) throw Error(found.exit, std::move(found.messages));
      problems.insert(problems.end(), found.messages.begin(), found.messages.end());
    };
    input.experiment = read_experiment(file, read_options);
    if (from_command_line) apply_flags(input.experiment);

    chain_.push_back(file);
    for (const Teacher& teacher : input.experiment.teachers) {
      if (!teacher.from) continue;
      read_experiment_text(teacher.from->value, teacher.from->place);  // one that is missing is told at this line
      refuse_circle(*teacher.from);
      auto own = std::make_shared<const ExperimentInput>(read(teacher.from->value, false));
      compare_with_teacher(input.experiment, teacher, own->experiment);
      input.teacher_files[teacher.name.value] = std::move(own);
    }
    chain_.pop_back();
    return input;
  }

 private:
  void apply_flags(Experiment& experiment) const {
    if (options_.device) experiment.numerics.device = Text(*options_.device, Place{"--device"});
    if (options_.threads) experiment.numerics.threads = Integer(*options_.threads, Place{"--threads"});
  }

  [[noreturn]] static void refuse(const Place& place, std::string what, std::string expected, std::string mend) {
    Message message;
    message.place = place;
    message.what = std::move(what);
    message.expected = std::move(expected);
    message.mend = std::move(mend);
    throw Error(Exit::experiment, std::move(message));
  }

  void refuse_circle(const Path& from) const {
    for (const std::string& earlier : chain_) {
      std::error_code failed;
      if (!fs::equivalent(earlier, from.value, failed)) continue;
      std::string circle;
      for (const std::string& file : chain_) circle += file + " -> ";
      refuse(from.place, "the teacher's file leads back to itself: " + printable(circle + from.value, 4096) + ".",
             "Expected a file whose student is trained before this one.", "");
    }
  }

  static void compare_with_teacher(const Experiment& experiment, const Teacher& teacher, const Experiment& own) {
    const std::string& file = teacher.from->value;
    const Component& model = own.student.component;
    const Text& use = teacher.component.use;
    if (!use.value.empty() && use.value != model.use.value) {
      refuse(use.place,
             "the teacher is " + kdhost::quoted(use.value) + " here and " + kdhost::quoted(model.use.value) + " in " +
                 printable(file, 4096) + ".",
             "Expected the same model.", "Leave 'use' out where 'from' is given.");
    }
    if (teacher.component.params.is(Value::Type::table)) {
      for (const Entry& entry : teacher.component.params.table()) {
        const Value* value = model.params.find(entry.key);
        // Defaults that were filled in repeat nothing.
        if (!entry.key_place.known() || (value != nullptr && *value == entry.value)) continue;
        refuse(entry.key_place,
               "the teacher's parameter '" + entry.key + "' is " + printable(to_toml(entry.value)) + " here and " +
                   (value != nullptr ? printable(to_toml(*value)) : std::string("absent")) + " in " +
                   printable(file, 4096) + ".",
               "Expected the same value.", "Leave 'params' out where 'from' is given.");
      }
    }
    const DataSettings& here = experiment.data;
    const DataSettings& there = own.data;
    if (here.component.use.value != there.component.use.value) return;
    const auto compare = [&](const char* key, const Integer& a, const Integer& b) {
      if (a.value == b.value) return;
      refuse(a.place.known() ? a.place : teacher.from->place,
             "data." + std::string(key) + " is " + std::to_string(a.value) + " here and " + std::to_string(b.value) +
                 " in the teacher's file " + printable(file, 4096) + ".",
             "Expected the same validation split: else the teacher has seen samples that this run validates on.",
             "Set data." + std::string(key) + " to the same number in both files.");
    };
    compare("validation", here.validation, there.validation);
    compare("split_seed", here.split_seed, there.split_seed);
  }

  const Options& options_;
  const HostAbi& host_;
  std::vector<std::string> chain_;
};

Value parameters_of(const std::vector<std::string>& sets, const std::string& option) {
  Value table;
  std::vector<Message> problems;
  for (const std::string& set : sets) {
    const std::size_t equals = set.find('=');
    const std::string label = option + " " + set;
    table.set(set.substr(0, equals), parse_override(set.substr(equals + 1), label, environment_variable, problems),
              Place{label});
  }
  if (!problems.empty()) throw Error(Exit::experiment, std::move(problems));
  return table;
}

}  // namespace

ExperimentInput read_experiment_input(const std::string& file, const Options& options, const HostAbi& host) {
  return InputReader(options, host).read(file, true);
}

Value loss_parameters(const Options& options) { return parameters_of(options.sets, "--set"); }

Value other_loss_parameters(const Options& options) { return parameters_of(options.other_sets, "--other-set"); }

}  // namespace kdhost
