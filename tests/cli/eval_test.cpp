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

TEST_CASE("eval judges on the validation split where it is asked to, which is the run's own") {
  const Program p;
  p.write_experiment();
  REQUIRE(p.kdhost("tiny.toml --threads 1 --set seeds=[5]").exit == 0);
  const std::string run = p.run_of("tiny");
  const auto legs = nlohmann::json::parse(p.read(run + "/summary.json"))["legs"];
  const auto answer = p.kdhost("eval " + run + " --threads 1 --split validation --json").json();
  CHECK(answer["split"] == "validation");
  CHECK(answer["samples"] == 16);
  CHECK(answer["models"][0]["numbers"]["accuracy"] == legs[0]["validation_best"]["accuracy"]);
  CHECK(contains(p.kdhost("eval " + run + " --split validation").out, "\n\n16 validation samples\n"));

  REQUIRE(p.kdhost("teacher.toml --threads 1 --out plain").exit == 0);
  const Answer none = p.kdhost("eval plain --split validation --set data.validation=0");
  CHECK(none.exit == 4);
  CHECK(none.err ==
        "error: plain/resolved.toml:5:7: there are no validation samples.\n"
        "  Expected data.validation above 0, or a data set with a validation split of its own.\n");
}

TEST_CASE("a class that is left out of training is missed, and a number added to its bias changes what is predicted") {
  const Program p;
  p.write_experiment();
  const std::string metrics = " --set 'metric=[{use=\"kdhost.accuracy\"},{use=\"kdhost.confusion_matrix\"}]'";
  const Answer done =
      p.kdhost("tiny.toml --threads 1 --set seeds=[5] --set train.epochs=40 --set data.omit_classes=[3]" + metrics);
  REQUIRE(done.exit == 0);
  CHECK(contains(done.err, " training without class 3, 16 validation, 40 test samples"));
  const std::string run = p.run_of("tiny");
  const auto predicted = [&](const std::string& more, std::size_t model) {
    const auto answer = p.kdhost("eval " + run + " --threads 1 --json" + more).json();
    double threes = 0;
    for (int label = 0; label < 4; ++label)
      threes += answer["models"][model]["numbers"]["confusion_matrix.label_" + std::to_string(label) + ".predicted_3"]
                    .get<double>();
    return threes;
  };
  CHECK(predicted("", 1) == 0);  // alone, which has never seen one
  CHECK(predicted(" --add 'fc2.bias[3]=1000'", 0) == 40);
  CHECK(predicted(" --add 'fc2.bias[3]=1000' --add 'fc2.bias[3]=-2000'", 0) == 0);
  CHECK(p.kdhost("eval " + run + " --json --add 'fc2.weight[0,3]=0'").json()["added"][0] == "fc2.weight[0,3]=0");

  const Answer all = p.kdhost("eval " + run + " --seed 5 --add 'fc2.bias[3]=1000'");
  CHECK(all.exit == 0);
  CHECK(contains(all.out,
                 "                            accuracy %   error %   NLL       agreement %\n"
                 "student distilled, seed 5   25.00        75.00     "));
  CHECK(contains(all.out,
                 "\nstudent distilled, seed 5: labels in rows, predictions in columns\n\n"
                 "label   0   1   2   3    wrong   samples\n"
                 "0       0   0   0   10   10      10\n"
                 "1       0   0   0   10   10      10\n"
                 "2       0   0   0   10   10      10\n"
                 "3       0   0   0   10   0       10\n"
                 "all     0   0   0   40   30      40\n\n"
                 "student alone, seed 5: labels in rows, predictions in columns\n"));
  CHECK(contains(all.out, "\n\n40 test samples\nadded to the student: fc2.bias[3]=1000\n"));
}

TEST_CASE("a number that cannot be added is refused with what the student has") {
  const Program p;
  p.write_experiment();
  REQUIRE(p.kdhost("tiny.toml --threads 1 --set seeds=[5] --set baseline.enabled=false").exit == 0);
  const std::string eval = "eval " + p.run_of("tiny") + " --add ";
  const auto refusal = [&](const std::string& addition) {
    const Answer answer = p.kdhost(eval + "'" + addition + "'");
    CHECK(answer.exit == 2);
    return answer.err;
  };
  CHECK(refusal("fc2.bais[3]=1") ==
        "error: kdhost eval: --add fc2.bais[3]=1: the student has no parameter 'fc2.bais'.\n"
        "  Its parameters: fc1.weight, fc1.bias, fc2.weight, fc2.bias. Did you mean 'fc2.bias'?\n");
  CHECK(refusal("fc2.bias[4]=1") ==
        "error: kdhost eval: --add fc2.bias[4]=1: 'fc2.bias' has the shape [4], and index 4 lies outside.\n"
        "  Expected 0 to 3.\n");
  CHECK(refusal("fc2.weight[0]=1") ==
        "error: kdhost eval: --add fc2.weight[0]=1: 'fc2.weight' has the shape [4, 4].\n"
        "  Expected one index a dimension: 2.\n");
  const Answer nobody = p.kdhost("eval tiny.toml --add 'fc2.bias[3]=1'");
  CHECK(nobody.exit == 2);
  CHECK(nobody.err ==
        "error: kdhost eval: --add fc2.bias[3]=1: the file names no weights of a student.\n"
        "  Expected weights = \"FILE.safetensors\" in [student], or the folder of a run.\n");
}
