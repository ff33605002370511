// SPDX-License-Identifier: MIT
// kdhost eval: the numbers of a run again, and of weights that a file names.
#include "cli/program.hpp"

using namespace kdhost::test;

TEST_CASE("eval gives the numbers that the run wrote down, for best and last weights, of all seeds or one") {
  const Program p;
  p.write_experiment();
  REQUIRE(p.kdhost("tiny.toml --threads 1 --set seeds=[5,3]").exit == 0);
  const std::string run = p.run_of("tiny");
  const auto legs = nlohmann::json::parse(p.read(run + "/summary.json"))["legs"];
  for (const std::string which : {"best", "last"}) {
    CAPTURE(which);
    const auto answer = p.kdhost("eval " + run + " --threads 1 --which " + which + " --json").json();
    CHECK(answer["split"] == "test");
    CHECK(answer["samples"] == 40);
    REQUIRE(answer["models"].size() == 4);
    for (const auto& model : answer["models"]) {
      bool found = false;
      for (const auto& leg : legs) {
        if (leg["seed"] != model["seed"] || leg["arm"] != model["arm"]) continue;
        found = true;
        for (const auto& [name, value] : leg["test_" + which].items()) {
          CAPTURE(name);
          CHECK(model["numbers"][name].get<double>() == Approx(value.get<double>()).epsilon(1e-6));
        }
      }
      CHECK(found);
    }
  }
  const Answer one = p.kdhost("eval " + run + " --seed 5");
  CHECK(one.exit == 0);
  CHECK(one.out.rfind(
            "                            accuracy %   error %   NLL     agreement %\nstudent distilled, seed 5   ",
            0) == 0);
  CHECK(contains(one.out, "\nstudent alone, seed 5       "));
  CHECK_FALSE(contains(one.out, "seed 3"));
  CHECK(contains(one.out, "\n\n40 test samples\n"));

  const Answer absent = p.kdhost("eval " + run + " --seed 9");
  CHECK(absent.exit == 4);
  CHECK(absent.err == "error: " + run + ": seed 9 has no finished student.\n  Finished: 3, 5.\n");

  SECTION("a file gives the weights it names") {
    p.write("named.toml", p.read("tiny.toml"));
    const std::string weights = " --set 'student.weights=\"" + run + "/seed-5/student.safetensors\"'";
    const auto answer = p.kdhost("eval named.toml --threads 1 --json" + weights).json();
    REQUIRE(answer["models"].size() == 2);
    CHECK(answer["models"][0]["model"] == "teacher");
    CHECK(answer["models"][1]["model"] == "student");
    CHECK(answer["models"][1]["numbers"]["accuracy"] == legs[0]["test_best"]["accuracy"]);
  }
  SECTION("an untrained teacher is left out and said to be") {
    std::filesystem::remove_all(p / "cache");
    const Answer answer = p.kdhost("eval " + run + " --seed 5");
    CHECK(answer.exit == 0);
    CHECK(contains(
        answer.err,
        "warning: teacher 'teacher' has not been trained yet: it and metrics that compare with it are left out\n"));
    CHECK_FALSE(contains(answer.out, "agreement"));
  }
}

TEST_CASE("eval of what has no trained weights says so") {
  const Program p;
  p.write_experiment();
  const Answer plain = p.kdhost("eval teacher.toml");
  CHECK(plain.exit == 3);
  CHECK(plain.err ==
        "error: teacher.toml:7:7: the student has no trained weights.\n"
        "  Expected weights = \"FILE.safetensors\" in [student], or the folder of a run.\n");
  const Answer both = p.kdhost("eval tiny.toml");
  CHECK(both.exit == 3);
  CHECK(contains(both.err, "neither the student nor a teacher has trained weights."));
  const Answer seed = p.kdhost("eval teacher.toml --seed 1");
  CHECK(seed.exit == 2);
  CHECK(seed.err ==
        "error: kdhost eval: --seed is for the folder of a run.\n  An experiment file names the weights of one "
        "student.\n");
  CHECK(p.kdhost("eval nowhere").exit == 4);
}
