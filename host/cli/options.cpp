// SPDX-License-Identifier: MIT
// The parser behind options.hpp: one table of commands, one CLI11 application for the command at hand. CLI11 is used
// here only; its own messages are put into the form all our messages have.
#include "cli/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>
#include <sstream>

#include "base/build_facts.hpp"
#include "base/error.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"

namespace kdhost {
namespace {

struct CommandText {
  Command command;
  const char* name;
  /// Positional arguments in the usage line; empty for none.
  const char* arguments;
  const char* summary;
  const char* example;
  /// For the help of the command; null for none.
  const char* more = nullptr;
};

constexpr std::array<CommandText, 11> kCommands{{
    {Command::run, "run", "FILE.toml...", "Train the student as the experiment says, and show what distillation gained",
     "kdhost run experiment.toml --set train.epochs=3"},
    {Command::check, "check", "FILE.toml|PLUGIN.so",
     "Everything but the training, with all mistakes at once; or whether a plugin keeps its contract",
     "kdhost check experiment.toml, kdhost check my_loss.so"},
    {Command::plugins, "plugins", "", "List plugins and what they offer; runs no plugin code", "kdhost plugins --json"},
    {Command::describe, "describe", "ID", "Parameters, ports, formula and source of a component, and TOML to paste",
     "kdhost describe kdhost.kd"},
    {Command::inspect, "inspect", "FILE.toml", "Taps of teacher and student side by side: shape, parameters, MACs",
     "kdhost inspect experiment.toml"},
    {Command::loss, "loss", "ID", "Evaluate one loss on tensors of a file, to compare it with other code",
     "kdhost loss kdhost.kd --inputs in.safetensors --set temperature=4 --grads out.safetensors",
     "kdhost loss kdhost.sp --inputs in.safetensors --compare kdhost.sp --other-set 'variant=\"torchdistill\"'"},
    {Command::eval, "eval", "RUN|FILE.toml", "Test a trained student, or the weights that an experiment names",
     "kdhost eval runs/logit-kd/20260101-120000-1a2b3c4d --which last"},
    {Command::compare, "compare", "RUN...", "One table of several runs", "kdhost compare runs/*/* --format markdown"},
    {Command::export_student, "export", "RUN", "Write the student alone",
     "kdhost export runs/logit-kd/20260101-120000-1a2b3c4d --format torchscript --out student.pt"},
    {Command::new_project, "new", "KIND NAME",
     "A plugin project that builds, checks and trains; KIND: loss, model, scheduler, dataset, transform, metric",
     "kdhost new loss my_loss", "kdhost new loss acme.my_loss"},
    {Command::schema, "schema", "", "Print the JSON Schema of experiment files, for editors",
     "kdhost schema > kdhost.schema.json"},
}};

[[noreturn]] void refuse(const std::string& command, std::string what, std::string expected, std::string mend) {
  Message message;
  message.where = command.empty() ? "kdhost" : "kdhost " + command;
  message.what = std::move(what);
  message.expected = std::move(expected);
  message.mend = std::move(mend);
  throw Error(Exit::usage, std::move(message));
}

const CommandText* find_command(const std::string& name) {
  const auto found = std::find_if(kCommands.begin(), kCommands.end(), [&](const auto& c) { return c.name == name; });
  return found == kCommands.end() ? nullptr : &*found;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Help with the usage line the command really has, and options without CLI11's marks of repetition.
class HelpFormatter final : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(26); }
  std::string make_usage(const CLI::App*, std::string) const override { return "Usage: " + usage_ + "\n"; }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }

 private:
  std::string usage_;
};

// Adds the options a command has. Each vector option takes one value a time, so that it cannot swallow the file.
class CommandLine {
 public:
  explicit CommandLine(const CommandText& text) : text_(text), app_(text.summary, std::string("kdhost ") + text.name) {
    app_.footer(std::string("Example:\n  ") + text.example + (text.more ? std::string("\n  ") + text.more : ""));
    const std::string arguments = text.arguments[0] == '\0' ? "" : std::string(" ") + text.arguments;
    app_.formatter(std::make_shared<HelpFormatter>(std::string("kdhost ") + text.name + arguments + " [OPTIONS]"));
    app_.set_help_flag("-h,--help", "Print this and exit");
    app_.allow_extras();
    options_.command = text.command;
  }

  Options parse(std::vector<std::string> arguments) {
    declare();
    std::reverse(arguments.begin(), arguments.end());
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
      // CLI11 puts two empty lines before the example.
      std::string help = app_.help();
      if (const std::size_t gap = help.find("\n\n\n"); gap != std::string::npos) help.erase(gap, 1);
      options_.answer = std::move(help);
      return options_;
    } catch (const CLI::ParseError& error) {
      refuse(text_.name, as_sentence(error.what()), "", advice());
    }
    check();
    return options_;
  }

 private:
  void declare() {
    const Command c = text_.command;
    const bool experiment = c == Command::run || c == Command::check || c == Command::inspect || c == Command::eval;
    const bool computes = experiment || c == Command::loss;
    const bool uses_plugins =
        computes || c == Command::plugins || c == Command::describe || c == Command::export_student;
    // The usage line names the argument; an option without a group is not listed a second time.
    if (text_.arguments[0] != '\0') app_.add_option("arguments", options_.arguments)->group("");
    if (c == Command::loss) {
      app_.add_option("--inputs", options_.inputs, "Tensors named by port: student.logits, batch.label, ...")
          ->type_name("FILE.safetensors");
      app_.add_option("--grads", options_.grads,
                      "Write the gradient of each student.* input here, of a part NAME as param/NAME")
          ->type_name("FILE.safetensors");
      app_.add_option("--state", options_.state, "Parts of the loss (regressors, banks) by name, or a checkpoint")
          ->type_name("FILE.safetensors");
      app_.add_option("--seed", seed_, "Of parts that no file gives, and of what the loss draws; 0 if not given")
          ->type_name("N");
      declare_other_loss();
    }
    if (computes) {
      const char* words = c == Command::loss ? "Set a parameter; repeatable"
                          : c == Command::check
                              ? "Set any value of the file, or COMPONENT.PARAMETER of a plugin; repeatable"
                              : "Set any value of the file; repeatable";
      list("--set", options_.sets, words, "KEY=VALUE");
    }
    if (c == Command::run) {
      app_.add_option("--out", options_.out, "Folder for the run's files, instead of runs/")->type_name("DIR");
      app_.add_flag("--resume", options_.resume, "Continue the newest unfinished run of this file");
      app_.add_flag("--allow-changes", options_.allow_changes,
                    "With --resume: although plugins, LibTorch or threads have changed");
      app_.add_option("--patience", patience_, "Name the component that hangs after so long; 300 if not given, 0 never")
          ->type_name("SECONDS");
    }
    if (c == Command::check) {
      app_.add_flag("--lock", options_.lock, "Write FILE.lock: the plugins of the experiment, by content");
    }
    if (c == Command::run || c == Command::check) {
      app_.add_flag("--locked", options_.locked, "Refuse plugins other than those of FILE.lock");
    }
    if (c == Command::export_student) {
      app_.add_option("--out", options_.out, "File to write")->type_name("FILE");
      app_.add_option("--format", format_, "safetensors (default) or torchscript")->type_name("FORMAT");
    }
    if (c == Command::compare) {
      app_.add_option("--format", format_, "text (default), markdown, csv or json")->type_name("FORMAT");
    }
    if (c == Command::eval) {
      app_.add_option("--split", split_, "Samples to judge on: test (default), validation")->type_name("SPLIT");
      list("--add", additions_, "Add a number to one element of a parameter of the student first; repeatable",
           "NAME[INDEX]=NUMBER");
    }
    if (c == Command::check) declare_plugin_check();
    if (c == Command::eval || c == Command::export_student) {
      app_.add_option("--which", which_, "Weights of the best epoch (default) or the last: best, last")
          ->type_name("WHICH");
      app_.add_option("--seed", seed_, "Only the student of this seed")->type_name("N");
    }
    if (computes) {
      app_.add_option("--device", options_.device, "cpu, cuda, cuda:1, auto")->type_name("DEVICE");
      app_.add_option("--threads", threads_, "Threads for operators; chosen by load if not given")->type_name("N");
    }
    if (computes || c == Command::export_student) {
      app_.add_flag("--trust", options_.trust, "Do not try new plugins in a process of their own first");
    }
    if (uses_plugins) list("--plugin-dir", options_.plugin_dirs, "Look for plugins here first; repeatable", "DIR");
    if (c == Command::new_project) {
      app_.add_option("--tier", options_.tier, "portable (default), or exact: with LibTorch in C++")->type_name("TIER");
      app_.add_option("--dir", options_.dir, "Folder of the project, instead of NAME")->type_name("DIR");
    }
    if (c != Command::schema && c != Command::new_project)
      app_.add_flag("--json", options_.json, "Print the result as JSON");
    if (c == Command::plugins) {
      app_.add_flag("--verbose", options_.verbose, "Also what each was built with, its hash and other names");
    }
    if (c == Command::check) app_.add_flag("--verbose", options_.verbose, "A plugin: also the tests that pass");
    app_.add_flag("--quiet", options_.quiet, "Only results and errors");
  }

  void declare_other_loss() {
    app_.add_option("--compare", options_.other_loss,
                    "Evaluate this loss too: ratio of the values (other / first), ratio and angle of the gradients")
        ->type_name("OTHER");
    list("--other-set", options_.other_sets, "Set a parameter of the other loss; repeatable", "KEY=VALUE");
    app_.add_option("--other-inputs", options_.other_inputs, "Tensors of the other loss, instead of the same")
        ->type_name("FILE.safetensors");
    app_.add_option("--other-state", options_.other_state, "Parts of the other loss; --state if it is the same loss")
        ->type_name("FILE.safetensors");
  }

  void declare_plugin_check() {
    app_.add_option("--level", level_, "A plugin: tests up to this level, 1 to 10; 7 if not given")->type_name("N");
    list("--only", options_.only, "A plugin: only this test or component, * allowed; repeatable", "NAME");
    list("--skip", options_.skip, "A plugin: not this test or component, * allowed; repeatable", "NAME");
    app_.add_option("--seed", seed_, "A plugin: of all random inputs; 0 if not given")->type_name("N");
    app_.add_option("--reproduce", reproduce_, "A plugin: one case of level 9 by its seed")->type_name("SEED");
    app_.add_option("--limit", limit_, "A plugin: seconds for one test; 20 if not given")->type_name("SECONDS");
    app_.add_flag("--in-process", options_.in_process, "A plugin: in this process, for a debugger");
  }

  void list(const char* name, std::vector<std::string>& to, const char* words, const char* type) {
    app_.add_option(name, to, words)->type_name(type)->allow_extra_args(false);
  }

  std::string advice() const { return std::string("See `kdhost ") + text_.name + " --help`."; }

  // CLI11 ends its messages without a full stop.
  static std::string as_sentence(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    if (!text.empty() && text.back() != '.') text += '.';
    return printable(text, 500);
  }

  std::vector<std::string> option_names() const {
    std::vector<std::string> names;
    for (const CLI::Option* option : app_.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
  }

  template <class Value>
  Value choose(const char* option, const std::string& given, const std::vector<std::pair<std::string, Value>>& values) {
    std::vector<std::string> names;
    for (const auto& [name, value] : values) {
      if (name == given) return value;
      names.push_back(name);
    }
    refuse(text_.name, std::string(option) + " is " + kdhost::quoted(given) + ".",
           "Expected one of: " + join(names) + ".", did_you_mean(given, names));
  }

  void check() {
    for (const std::string& extra : app_.remaining()) {
      if (extra.size() > 1 && extra.front() == '-') {
        const std::string name = extra.substr(0, extra.find('='));
        const std::string near = did_you_mean(name, option_names());
        refuse(text_.name, "unknown option " + kdhost::quoted(name) + ".", "",
               near.empty() ? advice() : near + " " + advice());
      }
      options_.arguments.push_back(extra);
    }
    const bool several = text_.command == Command::compare || text_.command == Command::run;
    const std::size_t most = text_.arguments[0] == '\0' ? 0 : text_.command == Command::new_project ? 2 : 1;
    if (options_.arguments.size() > most && !several) {
      refuse(text_.name, "does not take " + kdhost::quoted(options_.arguments[most]) + ".",
             most == 0   ? "Expected no argument."
             : most == 1 ? std::string("Expected one argument: ") + text_.arguments + "."
                         : std::string("Expected two arguments: ") + text_.arguments + ".",
             advice());
    }
    if (text_.command == Command::new_project && options_.arguments.size() == 1) {
      refuse(text_.name, "NAME is missing.", "", std::string("Example: ") + text_.example);
    }
    if (text_.command == Command::new_project && options_.tier != "portable" && options_.tier != "exact") {
      refuse(text_.name, "--tier is " + kdhost::quoted(options_.tier) + ".", "Expected portable or exact.",
             did_you_mean(options_.tier, {"portable", "exact"}));
    }
    if (options_.arguments.empty() && text_.arguments[0] != '\0') {
      refuse(text_.name, std::string(text_.arguments) + " is missing.", "", std::string("Example: ") + text_.example);
    }
    if (text_.command == Command::run && options_.out && options_.arguments.size() > 1) {
      refuse(text_.name, "--out names one folder for " + std::to_string(options_.arguments.size()) + " experiments.",
             "Expected one experiment, or no --out.", "Without --out each run gets a folder of its own under runs/.");
    }
    if (text_.command == Command::loss && options_.inputs.empty()) {
      refuse(text_.name, "--inputs FILE.safetensors is missing.", "", std::string("Example: ") + text_.example);
    }
    check_sets("--set", options_.sets);
    check_sets("--other-set", options_.other_sets);
    if (!options_.other_loss) {
      const char* without = !options_.other_sets.empty() ? "--other-set"
                            : options_.other_inputs      ? "--other-inputs"
                            : options_.other_state       ? "--other-state"
                                                         : nullptr;
      if (without != nullptr)
        refuse(text_.name, std::string(without) + " is given without --compare.", "Expected --compare OTHER beside it.",
               std::string("Example: ") + text_.more);
    }
    if (!threads_.empty()) options_.threads = static_cast<int>(whole_number("--threads", threads_, 1, 4096));
    if (!seed_.empty()) options_.seed = whole_number("--seed", seed_, 0, std::numeric_limits<std::int64_t>::max());
    if (!level_.empty()) options_.level = static_cast<int>(whole_number("--level", level_, 1, 10));
    if (!patience_.empty())
      options_.patience_seconds = static_cast<int>(whole_number("--patience", patience_, 0, 1000000));
    if (!limit_.empty()) options_.limit_seconds = static_cast<int>(whole_number("--limit", limit_, 1, 86400));
    if (!reproduce_.empty()) {
      options_.reproduce = static_cast<std::uint64_t>(
          whole_number("--reproduce", reproduce_, 0, std::numeric_limits<std::int64_t>::max()));
    }
    if (options_.device) check_device(*options_.device);
    if (!which_.empty())
      options_.which = choose<Which>("--which", which_, {{"best", Which::best}, {"last", Which::last}});
    if (!split_.empty())
      options_.split =
          choose<EvalSplit>("--split", split_, {{"test", EvalSplit::test}, {"validation", EvalSplit::validation}});
    for (const std::string& addition : additions_) options_.additions.push_back(read_addition(addition));
    if (text_.command == Command::compare && !format_.empty()) {
      options_.table_format = choose<TableFormat>("--format", format_,
                                                  {{"text", TableFormat::text},
                                                   {"markdown", TableFormat::markdown},
                                                   {"csv", TableFormat::csv},
                                                   {"json", TableFormat::json}});
    }
    if (text_.command == Command::compare && options_.json) options_.table_format = TableFormat::json;
    if (text_.command == Command::export_student && !format_.empty()) {
      options_.export_format = choose<ExportFormat>(
          "--format", format_,
          {{"safetensors", ExportFormat::safetensors}, {"torchscript", ExportFormat::torchscript}});
    }
  }

  void check_sets(const char* option, const std::vector<std::string>& sets) const {
    for (const std::string& set : sets) {
      const std::size_t equals = set.find('=');
      if (equals != std::string::npos && equals > 0) continue;
      refuse(text_.name, std::string(option) + " is " + kdhost::quoted(set) + ".", "Expected KEY=VALUE.", advice());
    }
  }

  // "fc3.weight[3,17]=0.5": name, one index a dimension, number.
  Addition read_addition(const std::string& text) const {
    const std::size_t open = text.find('[');
    const std::size_t close = text.find("]=", open == std::string::npos ? 0 : open);
    Addition addition;
    addition.text = text;
    bool good = open != std::string::npos && open > 0 && close != std::string::npos;
    if (good) {
      addition.parameter = text.substr(0, open);
      std::istringstream indices(text.substr(open + 1, close - open - 1) + ",");
      for (std::string one; std::getline(indices, one, ',');) {
        good = read_number(one, addition.index.emplace_back()) && addition.index.back() >= 0 && good;
      }
      good = good && read_number(text.substr(close + 2), addition.number) && std::isfinite(addition.number);
    }
    if (good) return addition;
    refuse(text_.name, "--add is " + kdhost::quoted(text) + ".",
           "Expected NAME[INDEX]=NUMBER: a parameter of the student, one index a dimension, a finite number.",
           "For example --add 'fc3.bias[3]=1.2'.");
  }

  template <class Number>
  static bool read_number(const std::string& text, Number& number) {
    const char* const end = text.data() + text.size();
    const auto [stop, failed] = std::from_chars(text.data(), end, number);
    return failed == std::errc() && stop == end;
  }

  std::int64_t whole_number(const char* option, const std::string& text, std::int64_t least, std::int64_t most) const {
    std::int64_t number = 0;
    if (read_number(text, number) && number >= least && number <= most) return number;
    refuse(text_.name, std::string(option) + " is " + kdhost::quoted(text) + ".",
           "Expected a whole number from " + std::to_string(least) + " to " + std::to_string(most) + ".", "");
  }

  void check_device(const std::string& device) const {
    const bool numbered = device.rfind("cuda:", 0) == 0 && device.size() > 5 && device.size() < 9 &&
                          std::all_of(device.begin() + 5, device.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (device == "cpu" || device == "cuda" || device == "auto" || numbered) return;
    refuse(text_.name, "--device is " + kdhost::quoted(device) + ".", "Expected cpu, cuda, cuda:N or auto.", "");
  }

  const CommandText& text_;
  CLI::App app_;
  Options options_;
  std::string threads_;
  std::string seed_;
  std::string level_;
  std::string limit_;
  std::string patience_;
  std::string reproduce_;
  std::string which_;
  std::string split_;
  std::vector<std::string> additions_;
  std::string format_;
};

std::string version_text() {
  return std::string("kdhost ") + kVersion + " (LibTorch " + kTorchVersion + ", " + kCompiler + ")\n";
}

}  // namespace

std::string command_name(Command command) {
  return std::find_if(kCommands.begin(), kCommands.end(), [&](const auto& c) { return c.command == command; })->name;
}

std::string overview() {
  std::ostringstream out;
  out << "kdhost " << kVersion << ": knowledge distillation, and whether it helped.\n\n"
      << "Usage: kdhost COMMAND [OPTIONS], or kdhost FILE.toml to run an experiment.\n\nCommands:\n";
  for (const CommandText& command : kCommands) {
    std::string head = std::string(command.name) + " " + command.arguments;
    head.resize(std::max<std::size_t>(head.size(), 20), ' ');
    out << "  " << head << " " << command.summary << "\n" << std::string(23, ' ') << "$ " << command.example << "\n";
  }
  out << "\n`kdhost COMMAND --help` lists the options of a command; `kdhost --version` says what this is.\n"
      << "Exit codes: 0 done, 1 internal error, 2 command line, 3 experiment file, 4 data or disk, 5 plugin,\n"
      << "6 numbers diverged, 7 interrupted and can be resumed.\n";
  return out.str();
}

Options parse_options(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    refuse("", "nothing to do.", "Expected a command or an experiment file.",
           std::string("Example: ") + kCommands.front().example + "; see `kdhost --help`.");
  }
  const std::string& first = arguments.front();
  if (first == "--help" || first == "-h" || first == "help") {
    Options options;
    options.answer = overview();
    return options;
  }
  if (first == "--version") {
    Options options;
    options.answer = version_text();
    return options;
  }
  if (const CommandText* command = find_command(first)) {
    return CommandLine(*command).parse({arguments.begin() + 1, arguments.end()});
  }
  const bool names_a_file =
      std::any_of(arguments.begin(), arguments.end(), [](const std::string& a) { return ends_with(a, ".toml"); });
  if (ends_with(first, ".toml") || (first.rfind("-", 0) == 0 && names_a_file)) {
    return CommandLine(kCommands.front()).parse(arguments);
  }
  std::vector<std::string> names;
  for (const CommandText& command : kCommands) names.emplace_back(command.name);
  refuse("", "unknown command " + kdhost::quoted(first) + ".",
         "Expected one of: " + join(names) + "; or an experiment file that ends in .toml.", did_you_mean(first, names));
}

}  // namespace kdhost
