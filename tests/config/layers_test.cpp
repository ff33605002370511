// SPDX-License-Identifier: MIT
// Includes: what wins, which file an error names, circles, paths.
#include "config/layers.hpp"

#include <catch2/catch.hpp>

#include "experiment_text.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

Experiment read_file_in(const Folder& folder, const std::string& name, std::vector<std::string> overrides = {}) {
  return read_experiment(folder.file(name), options(std::move(overrides)));
}

std::string error_in(const Folder& folder, const std::string& name) {
  return folder.shortened(error_from([&] { read_file_in(folder, name); }));
}

}  // namespace

TEST_CASE("tables merge, later values win and arrays are replaced", "[config]") {
  const Folder folder;
  folder.write("base.toml", changed("[data]", "seeds = [1, 2]\n[data]\nbatch = 32\nvalidation = 7"));
  folder.write("second.toml", "[data]\nvalidation = 8\n[optimizer]\nlr = 0.5\n");
  folder.write("e.toml",
               "include = [\"base.toml\", \"second.toml\"]\nseeds = [9]\n[data]\nbatch = 16\n"
               "[[loss]]\nuse = \"kdhost.dkd\"\n");
  const Experiment e = read_file_in(folder, "e.toml");
  CHECK(e.seeds == std::vector<Integer>{Integer{9}});
  CHECK(e.data.batch == 16);
  CHECK(e.data.validation == 8);
  CHECK(e.data.component.use.value == "kdhost.synthetic");
  CHECK(e.optimizer.lr == 0.5);
  REQUIRE(e.losses.size() == 1);
  CHECK(e.losses[0].name.value == "dkd");
  CHECK(e.files ==
        std::vector<std::string>{folder.file("e.toml"), folder.file("base.toml"), folder.file("second.toml")});
}

TEST_CASE("paths are relative to the file that contains them", "[config]") {
  const Folder folder;
  folder.write("shared/base.toml",
               changed("[student]", "weights = \"w/t.safetensors\"\n[student]\nweights = \"../s\""));
  folder.write("e.toml", "include = \"shared/base.toml\"\nplugins = \"build\"\n");
  const Experiment e = read_file_in(folder, "e.toml");
  CHECK(folder.shortened(e.teachers[0].weights->value) == "DIR/shared/w/t.safetensors");
  CHECK(folder.shortened(e.student.weights->value) == "DIR/s");
  CHECK(folder.shortened(e.plugins[0].value) == "DIR/build");
  const Experiment set = read_file_in(folder, "e.toml", {"teacher.weights=here.safetensors"});
  CHECK(set.teachers[0].weights->value == (std::filesystem::current_path() / "here.safetensors").string());
}

TEST_CASE("a later length takes the place of the other one", "[config]") {
  const Folder folder;
  folder.write("base.toml", kGood);
  folder.write("e.toml", "include = \"base.toml\"\n[train]\nsteps = 30\n");
  const Experiment e = read_file_in(folder, "e.toml");
  CHECK_FALSE(e.train.epochs.has_value());
  CHECK(e.train.steps->value == 30);
}

TEST_CASE("errors name the file that wrote the value", "[config]") {
  const Folder folder;
  folder.write("base.toml", changed("epochs = 2", "epochs = 0\nlog_step = 3"));
  folder.write("e.toml", "include = \"base.toml\"\n[data]\nbatch = \"x\"\n");
  CHECK(error_in(folder, "e.toml") ==
        "3\n"
        "DIR/e.toml:3:9: 'batch' in [data] is the string 'x'.\n"
        "  Expected an integer (samples), at least 1.\n"
        "DIR/base.toml:15:10: 'epochs' in [train] is 0.\n"
        "  Expected an integer (epochs), at least 1.\n"
        "DIR/base.toml:16:1: unknown key 'log_step' in [train].\n"
        "  Known keys: epochs, steps, accumulate, log_steps, checkpoint_steps, evaluate_epochs, precision, "
        "teacher_precision. Did you mean 'log_steps'?");
}

TEST_CASE("an include that cannot be read or runs in a circle is named where it is written", "[config]") {
  const Folder folder;
  folder.write("e.toml", "title = \"x\"\ninclude = [\"nowhere.toml\"]\n");
  CHECK(error_in(folder, "e.toml") ==
        "3\nDIR/e.toml:2:12: 'DIR/nowhere.toml' cannot be read: No such file or directory.\n"
        "  Expected an experiment file (TOML).");
  folder.write("a.toml", "include = \"b.toml\"\n");
  folder.write("b.toml", "include = \"./a.toml\"\n");
  CHECK(error_in(folder, "a.toml") ==
        "3\nDIR/b.toml:1:11: 'DIR/a.toml' includes itself, directly or through others.\n  Remove this include.");
  folder.write("c.toml", "include = 3\n" + kGood);
  CHECK(error_in(folder, "c.toml") ==
        "3\nDIR/c.toml:1:11: 'include' holds an integer.\n  Expected a path or a list of paths.");
}

TEST_CASE("a file may be included twice but not endlessly often", "[config]") {
  const Folder folder;
  folder.write("base.toml", kGood);
  folder.write("left.toml", "include = \"base.toml\"\n");
  folder.write("e.toml", "include = [\"left.toml\", \"base.toml\"]\n");
  CHECK(read_file_in(folder, "e.toml").files.size() == 4);
  // Each file includes the next one twice: 2^20 reads without a limit.
  for (int i = 0; i < 20; ++i) {
    const std::string next = "\"" + std::to_string(i + 1) + ".toml\"";
    folder.write(std::to_string(i) + ".toml", "include = [" + next + ", " + next + "]\n");
  }
  folder.write("20.toml", kGood);
  CHECK(error_in(folder, "0.toml").find("more than 64 files are read.\n  Include fewer files.") != std::string::npos);
}

TEST_CASE("a file that is missing, a folder or too large is said to be so", "[config]") {
  const Folder folder;
  CHECK(error_in(folder, "none.toml") ==
        "3\nDIR/none.toml: cannot be read: No such file or directory.\n  Expected an experiment file (TOML).");
  folder.write("folder/x", "");
  CHECK(error_in(folder, "folder") == "3\nDIR/folder: is a folder.\n  Expected an experiment file (TOML).");
  folder.write("large.toml", std::string((std::size_t{16} << 20) + 1, '#'));
  CHECK(error_in(folder, "large.toml") ==
        "3\nDIR/large.toml: has 16777217 bytes.\n  Expected an experiment file of at most 16777216 bytes.");
}
