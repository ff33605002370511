// SPDX-License-Identifier: MIT
// kdhost-engine: the program that computes. The thin program `kdhost` has checked the command line and prepared the
// environment before it became this one; run by hand it works the same with LibTorch's own defaults.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/crash.hpp"
#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/watchdog.hpp"
#include "check/admission.hpp"
#include "cli/engine.hpp"
#include "cli/front.hpp"
#include "cli/program_end.hpp"
#include "tensor/host_table.hpp"
#include "train/environment.hpp"

namespace kdhost {

HostAbi engine_abi() {
  HostAbi host;
  host.torch_fingerprint = torch_fingerprint();
  host.can_open_exact = true;
  return host;
}

HostAbi engine_host(const Options& options) {
  const double patience = options.patience_seconds.value_or(0) > 0 ? *options.patience_seconds : kPatience;
  static check::Admission admission({.host = engine_abi(),
                                     .memory = cache_folder() + "/plugins",
                                     .limit = std::min(patience, check::AdmissionSettings().limit)});
  HostAbi host = engine_abi();
  if (!options.trust) host.admit = [](const std::filesystem::path& file) { admission.admit(file); };
  return host;
}

namespace {

void admit_plugins(const ExperimentInput& input) {
  input.registry->admit_found();
  for (const auto& [name, file] : input.teacher_files) admit_plugins(*file);
}

// `owner` keeps alive what the registry lies in.
RunInput as_run_input(const ExperimentInput& input, const std::shared_ptr<const void>& owner) {
  RunInput run;
  run.experiment = input.experiment;
  run.registry = std::shared_ptr<Registry>(owner, input.registry.get());
  for (const auto& [name, file] : input.teacher_files)
    run.teacher_files[name] = std::make_shared<RunInput>(as_run_input(*file, file));
  return run;
}

// New plugins of all files are tried before the first is trained: later the program has threads, and cannot fork.
void try_plugins(const Options& options) {
  for (const std::string& file : options.arguments) {
    try {
      read_run_input(file, options);
    } catch (const Error&) {
      // Told when its turn comes.
    }
  }
}

// Each file in turn. One that fails does not keep the others from running; a signal does.
int run_all(const Options& options) {
  watch_for_interrupts();
  if (options.arguments.size() > 1) try_plugins(options);
  int code = 0;
  for (const std::string& file : options.arguments) {
    try {
      run_file(options, file);
    } catch (const Error& error) {
      log::error(error);
      if (code == 0) code = static_cast<int>(error.exit());
      if (error.exit() == Exit::interrupted) break;
    }
  }
  return code;
}

int dispatch(const Options& options) {
  switch (options.command) {
    case Command::run:
      return run_all(options);
    case Command::check:
      if (names_plugin(options.arguments.front())) return check_plugin_file(options);
      check_file(options);
      return 0;
    case Command::inspect:
      inspect_file(options);
      return 0;
    case Command::loss:
      evaluate_loss(options);
      return 0;
    case Command::eval:
      evaluate(options);
      return 0;
    case Command::compare:
      compare_runs(options);
      return 0;
    case Command::export_student:
      export_student(options);
      return 0;
    case Command::plugins:
    case Command::describe:
    case Command::schema:
    case Command::new_project:
      break;
  }
  Message message;
  message.where = "kdhost-engine";
  message.what = "does not answer '" + command_name(options.command) + "'.";
  message.mend = "Use `kdhost " + command_name(options.command) + "`.";
  throw Error(Exit::usage, std::move(message));
}

int answer(const std::vector<std::string>& arguments) {
  const Options options = parse_options(arguments);
  if (options.answer) {
    std::cout << *options.answer;
    return 0;
  }
  log::set_quiet(options.quiet);
  return dispatch(options);
}

}  // namespace

RunInput read_run_input(const std::string& file, const Options& options) {
  const auto input =
      std::make_shared<const ExperimentInput>(read_experiment_input(file, options, engine_host(options)));
  admit_plugins(*input);
  return as_run_input(*input, input);
}

}  // namespace kdhost

int main(int argc, char** argv) {
  kdhost::watch_for_crashes();
  return kdhost::exit_code_of([&] { return kdhost::answer({argv + 1, argv + argc}); });
}
