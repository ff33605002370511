// SPDX-License-Identifier: MIT
// The thin program as a user meets it: what it prints where, its exit codes, and what it hands to the engine.
#include <nlohmann/json.hpp>

#include "plugin/front_program.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

namespace fs = std::filesystem;

}  // namespace

TEST_CASE("kdhost plugins lists what is installed, from which file, and why a file is refused") {
  const Front front;
  fs::copy_file(zoo("wrong_major"), front.plugins() / "old.so");
  fs::copy_file(zoo("unlisted"), front.plugins() / "unlisted.so");
  write_file(front.plugins() / "text.so", "hello\n");
  const Answer answer = front.run("plugins");
  CHECK(answer.exit == 0);
  CHECK(answer.err.empty());
  CHECK(
      answer.out ==
      "beside the program: DIR/lib/kdhost/plugins\n"
      "  healthy.so  zoo.healthy 3.1.4, portable\n"
      "    loss       zoo.divergence  1.2.0  distance of logits, with one parameter of each type\n"
      "    loss       zoo.feature     1.0.0  distance of hidden layers\n"
      "    loss       zoo.plain       1.0.0  needs no teacher\n"
      "    model      zoo.net         1.0.0  passes its input on\n"
      "    scheduler  zoo.ramp        1.0.0  up to `to`\n"
      "    dataset    zoo.nothing     1.0.0  a data set without samples\n"
      "    transform  zoo.shift       1.0.0  moves images\n"
      "    metric     zoo.agreement   1.0.0  share of samples on which student and teacher agree\n"
      "    metric     zoo.hits        1.0.0  share of samples that are right\n"
      "  old.so  zoo.faulty 1.0.0, portable\n"
      "    refused: is built for plugin ABI 2.3, this program offers 1.0. The first number must be equal. Rebuild the "
      "plugin with this kdhost's SDK, or run kdhost 2.x.\n"
      "    loss       zoo.from_the_future  1.0.0  new\n"
      "  text.so\n"
      "    refused: is not a shared library: it begins with 'hello?'. Expected an ELF file. Name the .so file that the "
      "plugin's build made.\n"
      "  unlisted.so  zoo.unlisted 1.0.0, portable\n"
      "    built without a list of its components; they are known once it is loaded\n");
}

TEST_CASE("kdhost plugins shows places in search order, shadowed and doubled ids") {
  const Front front;
  fs::create_directory(front.folder() / "mine");
  fs::copy_file(zoo("no_room"), front.folder() / "mine" / "a.so");
  fs::copy_file(zoo("no_room"), front.folder() / "mine" / "b.so");
  fs::copy_file(zoo("other_params"), front.plugins() / "z.so");
  const Answer answer = front.run("plugins --plugin-dir mine", "KDHOST_PLUGIN_PATH=elsewhere");
  CHECK(answer.exit == 0);
  CHECK(answer.out.substr(0, answer.out.find("  healthy.so")) ==
        "--plugin-dir: mine\n"
        "  a.so  zoo.faulty 1.0.0, portable\n"
        "    loss       zoo.faulty  1.0.0  cut short\n"
        "      not used: mine/b.so offers the same id\n"
        "  b.so  zoo.faulty 1.0.0, portable\n"
        "    loss       zoo.faulty  1.0.0  cut short\n"
        "      not used: mine/a.so offers the same id\n"
        "KDHOST_PLUGIN_PATH: elsewhere\n"
        "  no plugin\n"
        "beside the program: DIR/lib/kdhost/plugins\n");
  CHECK(answer.out.find("  z.so  zoo.faulty 1.0.0, portable\n"
                        "    loss       zoo.faulty  1.0.0  o\n"
                        "      not used: shadowed by mine/a.so\n") != std::string::npos);
}

TEST_CASE("kdhost plugins --json says the same to programs") {
  const Front front;
  write_file(front.plugins() / "text.so", "hello\n");
  const Answer answer = front.run("plugins --json --verbose");
  CHECK(answer.exit == 0);
  const auto list = nlohmann::json::parse(answer.out);
  REQUIRE(list.size() == 2);
  CHECK(list[0]["file"] == "DIR/lib/kdhost/plugins/healthy.so");
  CHECK(list[0]["found"] == "beside the program");
  CHECK(list[0]["name"] == "zoo.healthy");
  CHECK(list[0]["abi"] == "1.0");
  CHECK(list[0]["tier"] == "portable");
  CHECK(list[0]["xxh3_128"].get<std::string>().size() == 32);
  CHECK(list[0]["components"].size() == 9);
  CHECK(list[0]["components"][3]["id"] == "zoo.net");
  CHECK(list[0]["components"][3]["kind"] == "model");
  CHECK(list[1]["refused"].get<std::string>().rfind("is not a shared library", 0) == 0);
}

TEST_CASE("kdhost describe prints parameters, ports, source and TOML to paste") {
  const Front front;
  const Answer answer = front.run("describe zoo.divergence");
  CHECK(answer.exit == 0);
  CHECK(answer.out ==
        "zoo.divergence 1.2.0: loss\n"
        "  distance of logits, with one parameter of each type\n"
        "  from DIR/lib/kdhost/plugins/healthy.so (zoo.healthy 3.1.4, portable)\n"
        "\n"
        "Parameters\n"
        "  temperature  a number, > 0; default 4.0; schedulable\n"
        "               divides both sides\n"
        "  margin       a number, >= -1 and <= 1; optional\n"
        "  neighbours   an integer, >= 1 and <= 10; default 3; schedulable\n"
        "  seed         an integer; default 0\n"
        "  symmetric    true or false; default false\n"
        "  form         a string, one of \"code\", \"paper|as printed\"; default \"code\"\n"
        "               published \"variant\"\n"
        "  note         a string; default \"tab\\there\"\n"
        "  sizes        a list of integers; default [1, 2]\n"
        "  levels       a list of numbers, < 2; default [0.5, 1.0]\n"
        "  names        a list of strings; default [\"a\", \"b\"]\n"
        "\n"
        "Ports\n"
        "  student.logits  [N, C]\n"
        "  teacher.logits  [N, C]\n"
        "  batch.label     optional  [N]\n"
        "\n"
        "Details\n"
        "  L = T^2 sum (s - t)^2\n"
        "  with T the temperature.\n"
        "\n"
        "Source\n"
        "  Nobody et al., section 3\n"
        "\n"
        "In an experiment file\n"
        "  [[loss]]\n"
        "  use = \"zoo.divergence\"\n"
        "  weight = 1.0\n"
        "  params = { temperature = 4.0, neighbours = 3, seed = 0, symmetric = false, form = \"code\", note = "
        "\"tab\\there\", sizes = [1, 2], levels = [0.5, 1.0], names = [\"a\", \"b\"] }\n");
  const auto json = nlohmann::json::parse(front.run("describe zoo.feature --json").out);
  CHECK(json["kind"] == "loss");
  CHECK(json["params"][0]["required"] == true);
  CHECK(json["params"][0]["maximum"] == 4.0);
  CHECK(json["inputs"][0]["list"] == true);
}

TEST_CASE("kdhost describe of an unknown id names the nearest") {
  const Front front;
  const Answer answer = front.run("describe zoo.nett");
  CHECK(answer.exit == 3);
  CHECK(answer.out.empty());
  CHECK(answer.err ==
        "error: kdhost describe: no plugin offers 'zoo.nett'.\n"
        "  Known components: zoo.agreement, zoo.divergence, zoo.feature, zoo.hits, zoo.net, zoo.nothing, "
        "zoo.plain, zoo.ramp, zoo.shift. Did you mean 'zoo.net'?\n");
}

TEST_CASE("kdhost schema prints a JSON Schema") {
  const Front front;
  const Answer answer = front.run("schema");
  CHECK(answer.exit == 0);
  CHECK(nlohmann::json::parse(answer.out)["properties"].contains("loss"));
}

TEST_CASE("the program loads no LibTorch") {
  std::string text = read_file(kProgram);
  CHECK(text.find("libtorch") == std::string::npos);
  CHECK(text.find("libc10") == std::string::npos);
}

TEST_CASE("every mistake that needs no model is answered without the engine, all at once") {
  const Front front;
  write_file(front.folder() / "bad.toml",
             "titel = \"x\"\n" + kGood + "[[loss]]\nuse = \"zoo.feature\"\nparams = { power = 9 }\n");
  for (const char* command : {"", "run ", "check ", "inspect ", "eval "}) {
    CAPTURE(command);
    const Answer answer = front.run(std::string(command) + "bad.toml");
    CHECK(answer.exit == 3);
    CHECK(answer.out.empty());
    CHECK(
        answer.err ==
        "error: bad.toml:1:1: unknown key 'titel' at the top level.\n"
        "  Known keys: title, include, seeds, plugins, data, teacher, student, loss, schedule, optimizer, train, "
        "stage, "
        "metric, baseline, numerics. Did you mean 'title'?\n"
        "error: bad.toml:11:7: port 'student.features' of 'zoo.feature' is not bound.\n"
        "  A list of taps has no default. Write inputs = { \"student.features\" = [\"TAP\"] }; `kdhost inspect` lists "
        "the taps.\n"
        "error: bad.toml:11:7: port 'teacher.features' of 'zoo.feature' needs a teacher, and the experiment has none.\n"
        "  Expected a [teacher] table, or a tap of the student, as in \"student:exit3\".\n"
        "error: bad.toml:12:20: parameter 'power' of 'zoo.feature' is 9.\n"
        "  Expected a number, >= 1 and <= 4.\n");
  }
}

TEST_CASE("a plugin named by the experiment that is refused is exit 5 at its line") {
  const Front front;
  fs::copy_file(zoo("newer_minor"), front.folder() / "mine.so");
  write_file(front.folder() / "e.toml", "plugins = [\"mine.so\"]\n" + kGood);
  const Answer answer = front.run("check e.toml");
  CHECK(answer.exit == 5);
  CHECK(answer.err ==
        "error: e.toml:1:12: DIR/mine.so: is built for plugin ABI 1.7, this program offers 1.0.\n"
        "  The second number must not be larger than the program's. Install kdhost 1.7 or newer, or rebuild "
        "the plugin with this kdhost's SDK.\n");
}

TEST_CASE("the engine gets the same arguments and a prepared environment, and its exit code is the program's") {
  const Front front;
  front.add_engine();
  write_file(front.folder() / "e.toml", kGood);
  const Answer answer = front.run("e.toml --threads 3 --set train.epochs=2");
  CHECK(answer.exit == 6);
  CHECK(answer.out.rfind("arg e.toml\narg --threads\narg 3\narg --set\narg train.epochs=2\n", 0) == 0);
  CHECK(answer.out.find("OMP_NUM_THREADS=3\n") != std::string::npos);
  for (const char* name : {"MALLOC_TRIM_THRESHOLD_=", "MALLOC_MMAP_THRESHOLD_=", "MALLOC_TOP_PAD_="}) {
    CHECK(answer.out.find(name) != std::string::npos);
  }
  write_file(front.folder() / "threads.toml", kGood + "[numerics]\nthreads = 5\n");
  CHECK(front.run("threads.toml").out.find("OMP_NUM_THREADS=5\n") != std::string::npos);
}

TEST_CASE("kdhost loss checks the loss and its parameters before the engine starts") {
  const Front front;
  front.add_engine();
  const auto loss = [&](const std::string& arguments) {
    const Answer answer = front.run("loss " + arguments + " --inputs in.safetensors");
    return std::to_string(answer.exit) + " " + answer.err;
  };
  CHECK(loss("zoo.divergence --threads 1 --set temperature=2 --set form=code") == "6 ");
  CHECK(loss("zoo.divergens") ==
        "3 error: kdhost loss: no plugin offers 'zoo.divergens'.\n"
        "  Known losses: zoo.divergence, zoo.feature, zoo.plain. Did you mean "
        "'zoo.divergence'?\n");
  CHECK(loss("zoo.divergence --set temperature=0 --set neighbors=3") ==
        "3 error: --set neighbors=3: 'zoo.divergence' has no parameter 'neighbors'.\n"
        "  It has: temperature, margin, neighbours, seed, symmetric, form, note, sizes, levels, names. Did you mean "
        "'neighbours'?\n"
        "error: --set temperature=0: parameter 'temperature' of 'zoo.divergence' is 0.\n"
        "  Expected a number, > 0.\n");
  CHECK(loss("zoo.feature") ==
        "3 error: kdhost loss: parameter 'power' of 'zoo.feature' is missing.\n"
        "  Expected a number, >= 1 and <= 4. Write params = { power = ... }.\n");
}

TEST_CASE("a missing engine is an internal error that says what is missing") {
  const Front front;
  write_file(front.folder() / "e.toml", kGood);
  const Answer answer = front.run("e.toml --threads 1");
  CHECK(answer.exit == 1);
  CHECK(answer.err ==
        "error: DIR/bin/kdhost-engine: the engine cannot be started: No such file or directory.\n"
        "  Expected kdhost-engine beside kdhost, or named by KDHOST_ENGINE. Build or install kdhost as a "
        "whole.\n");
}

TEST_CASE("the file of a teacher is checked too, and must agree with the student's") {
  const Front front;
  const std::string from = "[teacher]\nfrom = \"teacher.toml\"\n";
  const auto check = [&](const std::string& teacher_file, const std::string& file) {
    write_file(front.folder() / "teacher.toml", teacher_file);
    write_file(front.folder() / "e.toml", file);
    const Answer answer = front.run("check e.toml");
    return std::to_string(answer.exit) + " " + answer.err;
  };
  front.add_engine();
  CHECK(check(kGood, kGood + from) == "6 ");
  CHECK(check(kGood, kGood + "[teacher]\nfrom = \"techer.toml\"\n") ==
        "3 error: e.toml:10:8: 'DIR/techer.toml' cannot be read: No such file or directory.\n"
        "  Expected an experiment file (TOML).\n");
  CHECK(check(kGood + "[[loss]]\nuse = \"zoo.planar\"\n", kGood + from) ==
        "3 error: DIR/teacher.toml:10:7: no plugin offers 'zoo.planar'.\n"
        "  Known losses: zoo.divergence, zoo.feature, zoo.plain. Did you mean 'zoo.plain'?\n");
  CHECK(check(kGood, kGood + from + "params = { dropout = 0.5 }\nuse = \"zoo.net\"\n") ==
        "3 error: e.toml:11:12: the teacher's parameter 'dropout' is 0.5 here and 0.0 in DIR/teacher.toml.\n"
        "  Expected the same value. Leave 'params' out where 'from' is given.\n");
  CHECK(check(kGood, replaced(kGood, "[student]", "validation = 5\n[student]") + from) ==
        "3 error: e.toml:3:14: data.validation is 5 here and 0 in the teacher's file DIR/teacher.toml.\n"
        "  Expected the same validation split: else the teacher has seen samples that this run validates on. Set "
        "data.validation to the same number in both files.\n");
  CHECK(check(kGood + "[teacher]\nfrom = \"e.toml\"\n", kGood + from) ==
        "3 error: DIR/teacher.toml:10:8: the teacher's file leads back to itself: e.toml -> DIR/teacher.toml -> "
        "DIR/e.toml.\n"
        "  Expected a file whose student is trained before this one.\n");
}

TEST_CASE("output that cannot be written is an error, not a silent success") {
  const Front front;
  const std::string command = "'" + (front.folder() / "bin/kdhost").string() + "' schema >/dev/full 2>'" +
                              (front.folder() / "err.txt").string() + "'";
  const int status = std::system(command.c_str());
  CHECK(WEXITSTATUS(status) == 4);
  CHECK(read_file(front.folder() / "err.txt") ==
        "error: standard output: cannot be written.\n  Make room on the disk, or write elsewhere.\n");
}
