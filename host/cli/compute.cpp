// SPDX-License-Identifier: MIT
// The commands that compute: answer what needs no model, prepare the environment, become the engine. `exec` keeps
// signals, exit codes and the terminal as if there were one program.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/error.hpp"
#include "base/launch.hpp"
#include "cli/experiment_input.hpp"
#include "cli/front.hpp"
#include "cli/plugin_lock.hpp"
#include "config/run_record.hpp"
#include "config/writer.hpp"
#include "plugin/parameters.hpp"

namespace kdhost {
namespace {

bool is_experiment_file(const Options& options) {
  if (options.arguments.empty()) return false;
  switch (options.command) {
    case Command::run:
    case Command::inspect:
      return true;
    case Command::check:
      return !names_plugin(options.arguments.front());
    case Command::eval:
      return std::filesystem::path(options.arguments.front()).extension() == ".toml";
    default:
      return false;
  }
}

std::filesystem::path engine_path() {
  if (const char* named = std::getenv("KDHOST_ENGINE"); named != nullptr && *named != '\0') return named;
  return program_folder() / "kdhost-engine";
}

// The id and the parameters of a loss, as far as a record tells.
void check_loss(Registry& registry, const std::string& id, const Value& parameters, const char* where) {
  if (registry.undecided(id)) return;
  Place place;
  place.file = where;
  const ComponentInfo& info = registry.find(id, KDH_KIND_LOSS, place).info;
  if (info.complete) resolve_parameters(info, parameters, place);
}

void check_losses(const Options& options) {
  Registry registry(reader_abi(), plugin_places(options));
  for (const Error& problem : registry.problems()) throw problem;
  check_loss(registry, options.arguments.front(), loss_parameters(options), "kdhost loss");
  if (options.other_loss) check_loss(registry, *options.other_loss, other_loss_parameters(options), "--compare");
}

// The threads an experiment asks for, --threads included, 0 where it leaves the choice. A run that is resumed goes on
// with those it began with, and so must the environment of the engine.
std::int64_t threads_of(const Options& options, const Experiment& experiment) {
  if (options.command == Command::run && options.resume) {
    const auto folder = unfinished_run(options.out.value_or(""), experiment.file, experiment_hash(experiment));
    if (const auto recorded = folder ? recorded_numerics(*folder) : std::nullopt) return recorded->threads.value;
  }
  return experiment.numerics.threads.value;
}

}  // namespace

void compute(const Options& options, const std::vector<std::string>& arguments) {
  if ((options.lock || options.locked) && !is_experiment_file(options)) {
    Message message;
    message.where = "kdhost " + command_name(options.command);
    message.what =
        "--lock and --locked are for experiments, found the plugin " + kdhost::quoted(options.arguments.front()) + ".";
    message.expected = "Expected FILE.toml.";
    throw Error(Exit::usage, std::move(message));
  }
  std::optional<int> threads = options.threads;
  if (is_experiment_file(options)) {
    std::int64_t wanted = 0;
    // Of several files all are looked at before the first is run.
    for (const std::string& file : options.arguments) {
      const ExperimentInput input = read_experiment_input(file, options, reader_abi());
      if (options.lock) write_lock(file, input);
      if (options.locked) require_lock(file, input);
      if (wanted == 0) wanted = threads_of(options, input.experiment);
    }
    if (wanted > 0) threads = static_cast<int>(wanted);
  } else if (options.command == Command::loss) {
    check_losses(options);
  } else if (options.command == Command::compare || options.command == Command::export_student) {
    threads = 1;  // these read files and compute nothing worth measuring the load for
  }
  apply(plan_environment(threads, environment_variable, [] { return measure_load(); }));

  const std::filesystem::path engine = engine_path();
  std::vector<std::string> texts{engine.string()};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  ::execv(engine.c_str(), argv.data());

  const std::string why = std::strerror(errno);
  Message message;
  message.where = printable(engine.string(), 4096);
  message.what = "the engine cannot be started: " + why + ".";
  message.expected = "Expected kdhost-engine beside kdhost, or named by KDHOST_ENGINE.";
  message.mend = "Build or install kdhost as a whole.";
  throw Error(Exit::internal, std::move(message));
}

}  // namespace kdhost
