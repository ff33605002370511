// SPDX-License-Identifier: MIT
// kdhost run, check and compare.
#include "cli/program.hpp"

using namespace kdhost::test;

TEST_CASE("a run prints the closing table to standard output, everything else to standard error, and keeps its files") {
  const Program p;
  p.write_experiment();
  const Answer run = p.kdhost("tiny.toml --threads 1");
  REQUIRE(run.exit == 0);
  const std::string folder = p.run_of("tiny");
  CHECK(run.out.rfind("Tiny\n\n                         test accuracy %   NLL ", 0) == 0);
  CHECK(contains(run.out, "\nteacher mlp 16  "));
  CHECK(contains(run.out, "\nstudent alone  "));
  CHECK(contains(run.out, "\nstudent distilled  "));
  CHECK(contains(run.out, "\ngain from distillation  "));
  CHECK(contains(run.out, " (2 seeds, 95 % interval "));
  CHECK(contains(run.out, "\nThe numbers above are those of the best epoch by validation. After the last epoch:\n"));
  CHECK(contains(run.out, "\nfolder: " + folder + "\n"));
  CHECK(contains(run.err, "student   kdhost.mlp"));
  for (const char* name : {"experiment.toml", "resolved.toml", "manifest.json", "metrics.jsonl", "summary.json",
                           "seed-1/student.safetensors", "seed-2/baseline/student.safetensors"}) {
    CAPTURE(name);
    CHECK(std::filesystem::exists(p / (folder + "/" + name)));
  }

  SECTION("compare shows it as text, Markdown, CSV and JSON") {
    CHECK(p.kdhost("compare " + folder)
              .out.rfind("run    seeds   student alone, test accuracy %   student distilled", 0) == 0);
    CHECK(p.kdhost("compare " + folder + " --format markdown").out.rfind("| run | seeds |", 0) == 0);
    CHECK(p.kdhost("compare " + folder + " --format csv").out.rfind("title,folder,split,metric,seeds,", 0) == 0);
    const auto list = p.kdhost("compare " + folder + " " + folder + " --json").json();
    REQUIRE(list.size() == 2);
    CHECK(list[0]["seeds"] == 2);
  }
}

TEST_CASE("run --json prints the run's summary instead of the table") {
  const Program p;
  p.write_experiment();
  const Answer run = p.kdhost("tiny.toml --json --quiet --set seeds=[3] --set baseline.enabled=false");
  REQUIRE(run.exit == 0);
  CHECK(run.json() == nlohmann::ordered_json::parse(p.shown(p.read(p.run_of("tiny") + "/summary.json"))));
  REQUIRE(run.json()["legs"].size() == 1);
  CHECK(run.json()["legs"][0]["seed"] == 3);
}

TEST_CASE("of several files one that fails does not keep the others from running, and gives the exit code") {
  const Program p;
  p.write_experiment();
  p.write(
      "missing.toml",
      "[data]\nuse = \"kdhost.tensors\"\nparams = { train = \"none.safetensors\" }\n[student]\nuse = \"kdhost.mlp\"\n"
      "[[loss]]\nuse = \"kdhost.cross_entropy\"\n");
  const Answer run = p.kdhost("missing.toml teacher.toml");
  CHECK(run.exit == 4);
  CHECK(contains(run.err, "none.safetensors"));
  CHECK(contains(run.out, "student   "));
  CHECK(contains(run.out, "folder: runs/teacher/"));
}

TEST_CASE("a mistake in one of several files is answered before anything is trained") {
  const Program p;
  p.write_experiment();
  p.write("wrong.toml", "[data]\nuse = \"kdhost.synthetik\"\n[student]\nuse = \"kdhost.mlp\"\n");
  const Answer run = p.kdhost("teacher.toml wrong.toml");
  CHECK(run.exit == 3);
  CHECK(contains(run.err, "Did you mean 'kdhost.synthetic'?"));
  CHECK(run.out.empty());
  CHECK_FALSE(std::filesystem::exists(p / "runs"));
}

TEST_CASE("check prints the plan of a run that can start, trains nothing and leaves nothing behind") {
  const Program p;
  p.write_experiment();
  const Answer check = p.kdhost("check tiny.toml");
  CHECK(check.exit == 0);
  CHECK(check.out ==
        "data      kdhost.synthetic: 64 training, 16 validation, 40 test samples; batch 16\n"
        "teacher   kdhost.mlp, 340 parameters, trained by DIR/teacher.toml\n"
        "student   kdhost.mlp, 88 parameters, fp32\n"
        "loss      cross_entropy (kdhost.cross_entropy), weight 0.5, label_smoothing 0.0, ignore_index -100\n"
        "loss      kd (kdhost.kd), weight 0.5, temperature 4.0, form kl, scale t2, reduction batchmean, standardize "
        "false, combine mean_logits\n"
        "training  2 seeds, distilled and alone, 16 steps each, adam, learning rate 0.02\n"
        "tiny.toml: nothing wrong.\n");
  CHECK(check.err.empty());
  CHECK_FALSE(std::filesystem::exists(p / "runs"));
  CHECK_FALSE(std::filesystem::exists(p / "cache"));
  CHECK(p.kdhost("check tiny.toml --json").json()["ok"] == true);
}

TEST_CASE("compare says of each folder why it shows nothing") {
  const Program p;
  std::filesystem::create_directory(p / "empty");
  std::filesystem::create_directory(p / "begun");
  p.write("begun/state.json", "{\"state\": \"interrupted\", \"experiment\": \"00\"}");
  const Answer answer = p.kdhost("compare nowhere empty begun");
  CHECK(answer.exit == 4);
  CHECK(answer.out.empty());
  CHECK(answer.err ==
        "error: nowhere: there is no such folder.\n"
        "  Expected the folder of a finished run, such as runs/<experiment>/<time>-<hash>.\n"
        "error: empty: this is not the folder of a run: it has no state.json.\n"
        "  Expected the folder of a finished run, such as runs/<experiment>/<time>-<hash>.\n"
        "error: begun: this run has no results yet: its state is 'interrupted'.\n"
        "  Expected the folder of a finished run, such as runs/<experiment>/<time>-<hash>. Finish it with `kdhost run "
        "FILE.toml "
        "--resume`.\n");
}

TEST_CASE("the engine by itself refuses what only the thin program answers") {
  const Program p;
  const Answer answer = p.shell(std::string("'") + kEngine + "' plugins");
  CHECK(answer.exit == 2);
  CHECK(answer.err == "error: kdhost-engine: does not answer 'plugins'.\n  Use `kdhost plugins`.\n");
}

TEST_CASE("results that cannot be written are an error, not a silence") {
  const Program p;
  p.write_experiment();
  const Answer answer = p.shell("kdhost check teacher.toml >/dev/full");
  CHECK(answer.exit == 4);
  CHECK(answer.err == "error: standard output: cannot be written.\n  Make room on the disk, or write elsewhere.\n");
}
