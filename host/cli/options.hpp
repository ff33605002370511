// SPDX-License-Identifier: MIT
// The command line as a plain struct. The thin program and the engine parse the same arguments with the same parser:
// the first to answer what needs no model, the second to do the work.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kdhost {

enum class Command { run, check, plugins, describe, inspect, loss, eval, compare, export_student, schema, new_project };

/// Which weights of a run: the best by validation, or those of its last step.
enum class Which { best, last };

/// Which samples `kdhost eval` judges on.
enum class EvalSplit { test, validation };

/// One --add of `kdhost eval`: a number added to one element of a parameter of the student.
struct Addition {
  std::string parameter{};
  std::vector<std::int64_t> index{};
  double number = 0.0;
  /// As given, for messages.
  std::string text{};
};

/// How `kdhost compare` writes its table.
enum class TableFormat { text, markdown, csv, json };

/// What `kdhost export` writes.
enum class ExportFormat { safetensors, torchscript };

/// Everything the command line can say. Which members a command uses stands beside them.
struct Options {
  Command command = Command::run;
  /// run: experiment files. check: the experiment file or a plugin. inspect: the experiment file. describe, loss: the
  /// id. eval: a run folder or an experiment file. export: a run folder. compare: run folders. new: kind and name.
  /// plugins, schema: nothing.
  std::vector<std::string> arguments{};

  /// --set KEY=VALUE in the order given: run, check, inspect, eval (keys of the file); loss (parameters).
  std::vector<std::string> sets{};
  /// --out: run (folder instead of runs/), export (file to write).
  std::optional<std::string> out{};
  /// --resume: run.
  bool resume = false;
  /// --allow-changes: run; resume though LibTorch, threads or plugins are not those of the checkpoint.
  bool allow_changes = false;
  /// --patience SECONDS: run; without progress, after which a component is named. 0: never. Absent: 300.
  std::optional<int> patience_seconds{};
  /// --trust: everything that computes; plugins that were never used before are not tried first.
  bool trust = false;
  /// --lock: check (write the lock file of the experiment). --locked: run, check (refuse plugins that it does not
  /// know).
  bool lock = false;
  bool locked = false;
  /// --device cpu|cuda|cuda:N|auto: everything that computes. Absent: what the file says.
  std::optional<std::string> device{};
  /// --threads N: everything that computes. Absent: chosen at the start.
  std::optional<int> threads{};
  /// --plugin-dir DIR, repeatable: everything that uses plugins.
  std::vector<std::string> plugin_dirs{};
  /// --json: everything that prints data.
  bool json = false;
  /// --quiet: no progress and no information on standard error; results and errors stay.
  bool quiet = false;
  /// --verbose: plugins, check of a plugin.
  bool verbose = false;

  /// --inputs FILE, --grads FILE and --state FILE: loss.
  std::string inputs{};
  std::optional<std::string> grads{};
  std::optional<std::string> state{};
  /// loss --compare OTHER, and what is different for that: --other-set, --other-inputs, --other-state.
  std::optional<std::string> other_loss{};
  std::vector<std::string> other_sets{};
  std::optional<std::string> other_inputs{};
  std::optional<std::string> other_state{};
  /// --which best|last: eval, export.
  Which which = Which::best;
  /// --split test|validation: eval.
  EvalSplit split = EvalSplit::test;
  /// --add NAME[INDEX]=NUMBER, repeatable: eval.
  std::vector<Addition> additions{};
  /// --tier portable|exact and --dir DIR: new.
  std::string tier = "portable";
  std::string dir{};
  /// check of a plugin: --level, --only, --skip, --limit, --in-process, --reproduce.
  std::optional<int> level{};
  std::vector<std::string> only{};
  std::vector<std::string> skip{};
  std::optional<int> limit_seconds{};
  bool in_process = false;
  std::optional<std::uint64_t> reproduce{};
  /// --seed N: eval, export of a run; absent: the first seed (export), all seeds (eval). check of a plugin: of all
  /// random inputs; loss: of parts that no file gives and of what the loss draws; absent: 0.
  std::optional<std::int64_t> seed{};
  /// --format: compare, export.
  TableFormat table_format = TableFormat::text;
  ExportFormat export_format = ExportFormat::safetensors;

  /// Set by --help and --version: the text to print instead of doing anything.
  std::optional<std::string> answer{};
};

/// Parses the arguments after the program's name. "FILE.toml ..." means "run FILE.toml ...". Throws Error (exit 2).
Options parse_options(const std::vector<std::string>& arguments);

/// The name of a command as typed.
std::string command_name(Command command);

/// The overview that `kdhost --help` prints.
std::string overview();

}  // namespace kdhost
