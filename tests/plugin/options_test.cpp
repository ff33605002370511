// SPDX-License-Identifier: MIT
// The command line: what is understood, and the text of what is not.
#include "cli/options.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using namespace kdhost;

namespace {

std::string refusal(const std::vector<std::string>& arguments) {
  try {
    parse_options(arguments);
  } catch (const Error& error) {
    return "exit " + std::to_string(static_cast<int>(error.exit())) + ": " + error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("an experiment file alone means run") {
  const Options options = parse_options({"a.toml", "--set", "train.epochs=3", "--set=seeds=[1, 2]", "--quiet"});
  CHECK(options.command == Command::run);
  CHECK(options.arguments == std::vector<std::string>{"a.toml"});
  CHECK(options.sets == std::vector<std::string>{"train.epochs=3", "seeds=[1, 2]"});
  CHECK(options.quiet);
  CHECK(parse_options({"--set", "a=1", "b.toml"}).arguments == std::vector<std::string>{"b.toml"});
  CHECK(parse_options({"run", "a.toml"}).command == Command::run);
}

TEST_CASE("what is done about plugins that are new, have changed or hang can be chosen") {
  const Options run = parse_options({"a.toml", "--resume", "--allow-changes", "--trust", "--patience", "60"});
  CHECK(run.allow_changes);
  CHECK(run.trust);
  CHECK(run.patience_seconds == 60);
  CHECK(parse_options({"a.toml", "--patience", "0"}).patience_seconds == 0);
  CHECK_FALSE(parse_options({"a.toml"}).patience_seconds.has_value());
  CHECK(parse_options({"loss", "kdhost.kd", "--inputs", "i", "--trust"}).trust);
  CHECK(refusal({"a.toml", "--patience", "soon"}) ==
        "exit 2: kdhost run: --patience is 'soon'.\n  Expected a whole number from 0 to 1000000.");
}

TEST_CASE("every option of every command is understood") {
  const Options run = parse_options({"run", "a.toml", "--out", "o", "--resume", "--device", "cuda:1", "--threads", "2",
                                     "--plugin-dir", "p", "--plugin-dir", "q", "--json"});
  CHECK(run.out == "o");
  CHECK(run.resume);
  CHECK(run.device == "cuda:1");
  CHECK(run.threads == 2);
  CHECK(run.plugin_dirs == std::vector<std::string>{"p", "q"});
  CHECK(run.json);
  const Options loss = parse_options({"loss", "kdhost.kd", "--inputs", "i", "--grads", "g", "--set", "temperature=4"});
  CHECK(loss.command == Command::loss);
  CHECK(loss.inputs == "i");
  CHECK(loss.grads == "g");
  CHECK(loss.sets == std::vector<std::string>{"temperature=4"});
  CHECK_FALSE(loss.other_loss);
  const Options two = parse_options({"loss", "a.b", "--inputs", "i", "--state", "s", "--seed", "4", "--compare", "c.d",
                                     "--other-set", "x=1", "--other-inputs", "j", "--other-state", "t"});
  CHECK(two.state == "s");
  CHECK(two.seed == 4);
  CHECK(two.other_loss == "c.d");
  CHECK(two.other_sets == std::vector<std::string>{"x=1"});
  CHECK(two.other_inputs == "j");
  CHECK(two.other_state == "t");
  CHECK(parse_options({"eval", "r", "--which", "last", "--seed", "3"}).which == Which::last);
  CHECK(parse_options({"eval", "r", "--seed", "3"}).seed == 3);
  CHECK(parse_options({"eval", "r"}).split == EvalSplit::test);
  CHECK(parse_options({"eval", "r", "--split", "validation"}).split == EvalSplit::validation);
  const Options added = parse_options({"eval", "r", "--add", "fc3.bias[3]=1.2", "--add", "a.b[0,12]=-1e-3"});
  REQUIRE(added.additions.size() == 2);
  CHECK(added.additions[0].parameter == "fc3.bias");
  CHECK(added.additions[0].index == std::vector<std::int64_t>{3});
  CHECK(added.additions[0].number == 1.2);
  CHECK(added.additions[1].parameter == "a.b");
  CHECK(added.additions[1].index == std::vector<std::int64_t>{0, 12});
  CHECK(added.additions[1].number == -1e-3);
  CHECK(added.additions[1].text == "a.b[0,12]=-1e-3");
  CHECK(parse_options({"compare", "a", "b", "--format", "csv"}).table_format == TableFormat::csv);
  CHECK(parse_options({"compare", "a", "b"}).arguments.size() == 2);
  CHECK(parse_options({"compare", "a", "--json"}).table_format == TableFormat::json);
  CHECK(parse_options({"export", "r", "--format", "torchscript"}).export_format == ExportFormat::torchscript);
  CHECK(parse_options({"plugins", "--verbose"}).verbose);
  CHECK(parse_options({"schema"}).command == Command::schema);
  CHECK(parse_options({"inspect", "a.toml"}).command == Command::inspect);
  CHECK(parse_options({"check", "a.toml"}).command == Command::check);
  CHECK(parse_options({"describe", "kdhost.kd"}).command == Command::describe);
}

TEST_CASE("each command has help with an example") {
  for (const char* name :
       {"run", "check", "plugins", "describe", "inspect", "loss", "eval", "compare", "export", "new", "schema"}) {
    CAPTURE(name);
    const std::string help = parse_options({name, "--help"}).answer.value_or("");
    CHECK(help.find(std::string("Usage: kdhost ") + name) != std::string::npos);
    CHECK(help.find(std::string("Example:\n  kdhost ") + name) != std::string::npos);
    CHECK(overview().find(std::string("$ kdhost ") + name) != std::string::npos);
  }
  CHECK(parse_options({"--help"}).answer == overview());
  CHECK(parse_options({"--version"}).answer.value_or("").rfind("kdhost ", 0) == 0);
}

TEST_CASE("the help of a command is what it accepts") {
  CHECK(parse_options({"check", "--help"}).answer ==
        "Everything but the training, with all mistakes at once; or whether a plugin keeps its contract\n"
        "Usage: kdhost check FILE.toml|PLUGIN.so [OPTIONS]\n"
        "\n"
        "Options:\n"
        "  -h,--help               Print this and exit\n"
        "  --set KEY=VALUE         Set any value of the file, or COMPONENT.PARAMETER of a plugin; repeatable\n"
        "  --lock                  Write FILE.lock: the plugins of the experiment, by content\n"
        "  --locked                Refuse plugins other than those of FILE.lock\n"
        "  --level N               A plugin: tests up to this level, 1 to 10; 7 if not given\n"
        "  --only NAME             A plugin: only this test or component, * allowed; repeatable\n"
        "  --skip NAME             A plugin: not this test or component, * allowed; repeatable\n"
        "  --seed N                A plugin: of all random inputs; 0 if not given\n"
        "  --reproduce SEED        A plugin: one case of level 9 by its seed\n"
        "  --limit SECONDS         A plugin: seconds for one test; 20 if not given\n"
        "  --in-process            A plugin: in this process, for a debugger\n"
        "  --device DEVICE         cpu, cuda, cuda:1, auto\n"
        "  --threads N             Threads for operators; chosen by load if not given\n"
        "  --trust                 Do not try new plugins in a process of their own first\n"
        "  --plugin-dir DIR        Look for plugins here first; repeatable\n"
        "  --json                  Print the result as JSON\n"
        "  --verbose               A plugin: also the tests that pass\n"
        "  --quiet                 Only results and errors\n"
        "\n"
        "Example:\n"
        "  kdhost check experiment.toml, kdhost check my_loss.so\n");
}

TEST_CASE("a mistake on the command line is exit 2 with what to write") {
  CHECK(refusal({}) ==
        "exit 2: kdhost: nothing to do.\n"
        "  Expected a command or an experiment file. Example: kdhost run experiment.toml --set "
        "train.epochs=3; see `kdhost --help`.");
  CHECK(refusal({"chekc"}) ==
        "exit 2: kdhost: unknown command 'chekc'.\n"
        "  Expected one of: run, check, plugins, describe, inspect, loss, eval, compare, export, "
        "new, schema; or an experiment file that ends in .toml. Did you mean 'check'?");
  CHECK(refusal({"run"}) ==
        "exit 2: kdhost run: FILE.toml... is missing.\n"
        "  Example: kdhost run experiment.toml --set train.epochs=3");
  CHECK(refusal({"check", "a.toml", "b.toml"}) ==
        "exit 2: kdhost check: does not take 'b.toml'.\n"
        "  Expected one argument: FILE.toml|PLUGIN.so. See `kdhost check --help`.");
  CHECK(refusal({"a.toml", "b.toml", "--out", "here"}) ==
        "exit 2: kdhost run: --out names one folder for 2 experiments.\n"
        "  Expected one experiment, or no --out. Without --out each run gets a folder of its own under runs/.");
  CHECK(refusal({"schema", "x"}) ==
        "exit 2: kdhost schema: does not take 'x'.\n"
        "  Expected no argument. See `kdhost schema --help`.");
  CHECK(refusal({"a.toml", "--devise", "cpu"}) ==
        "exit 2: kdhost run: unknown option '--devise'.\n"
        "  Did you mean '--device'? See `kdhost run --help`.");
  CHECK(refusal({"a.toml", "--xyzzy=1"}) ==
        "exit 2: kdhost run: unknown option '--xyzzy'.\n"
        "  See `kdhost run --help`.");
  CHECK(refusal({"check", "a.toml", "--resume"}) ==
        "exit 2: kdhost check: unknown option '--resume'.\n"
        "  See `kdhost check --help`.");
  CHECK(refusal({"a.toml", "--set", "epochs"}) ==
        "exit 2: kdhost run: --set is 'epochs'.\n"
        "  Expected KEY=VALUE. See `kdhost run --help`.");
  CHECK(refusal({"a.toml", "--threads", "two"}) ==
        "exit 2: kdhost run: --threads is 'two'.\n"
        "  Expected a whole number from 1 to 4096.");
  CHECK(refusal({"a.toml", "--threads", "0"}) ==
        "exit 2: kdhost run: --threads is '0'.\n"
        "  Expected a whole number from 1 to 4096.");
  CHECK(refusal({"a.toml", "--device", "gpu"}) ==
        "exit 2: kdhost run: --device is 'gpu'.\n"
        "  Expected cpu, cuda, cuda:N or auto.");
  CHECK(refusal({"eval", "r", "--split", "valdation"}) ==
        "exit 2: kdhost eval: --split is 'valdation'.\n"
        "  Expected one of: test, validation. Did you mean 'validation'?");
  for (const std::string addition :
       {"fc3.bias", "fc3.bias=1", "[3]=1", "fc3.bias[]=1", "fc3.bias[a]=1", "fc3.bias[3,]=1", "fc3.bias[-1]=1",
        "fc3.bias[3]=", "fc3.bias[3]=x", "fc3.bias[3]=nan", "fc3.bias[3]=1 2", "fc3.bias[3]1"}) {
    CHECK(refusal({"eval", "r", "--add", addition}) ==
          "exit 2: kdhost eval: --add is '" + addition +
              "'.\n"
              "  Expected NAME[INDEX]=NUMBER: a parameter of the student, one index a dimension, a finite number. "
              "For example --add 'fc3.bias[3]=1.2'.");
  }
  CHECK(refusal({"eval", "r", "--which", "lest"}) ==
        "exit 2: kdhost eval: --which is 'lest'.\n"
        "  Expected one of: best, last. Did you mean 'best'?");
  CHECK(refusal({"export", "r", "--format", "onnx"}) ==
        "exit 2: kdhost export: --format is 'onnx'.\n"
        "  Expected one of: safetensors, torchscript.");
  CHECK(refusal({"loss", "kdhost.kd"}) ==
        "exit 2: kdhost loss: --inputs FILE.safetensors is missing.\n"
        "  Example: kdhost loss kdhost.kd --inputs in.safetensors --set temperature=4 "
        "--grads out.safetensors");
  CHECK(refusal({"loss", "kdhost.kd", "--inputs", "i", "--other-inputs", "j"}) ==
        "exit 2: kdhost loss: --other-inputs is given without --compare.\n"
        "  Expected --compare OTHER beside it. Example: kdhost loss kdhost.sp --inputs in.safetensors --compare "
        "kdhost.sp --other-set 'variant=\"torchdistill\"'");
  CHECK(refusal({"loss", "kdhost.kd", "--inputs", "i", "--compare", "kdhost.kd", "--other-set", "temperature"}) ==
        "exit 2: kdhost loss: --other-set is 'temperature'.\n"
        "  Expected KEY=VALUE. See `kdhost loss --help`.");
  CHECK(refusal({"a.toml", "--device"}) ==
        "exit 2: kdhost run: --device: 1 required DEVICE missing.\n"
        "  See `kdhost run --help`.");
}
