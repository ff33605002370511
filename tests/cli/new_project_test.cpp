// SPDX-License-Identifier: MIT
// kdhost new: what it writes and prints, and what it refuses. tests/sdk/new_project.cmake builds what it makes.
#include "cli/program.hpp"

using namespace kdhost::test;

TEST_CASE("a new project has its files, its names filled in, and the commands to go on with") {
  const Program program;
  const Answer answer = program.kdhost("new loss acme.soft_kl");
  CHECK(answer.exit == 0);
  CHECK(answer.out.rfind("A loss 'acme.soft_kl' in soft_kl:\n  CMakeLists.txt\n  README.md\n", 0) == 0);
  CHECK(contains(answer.out, "\nBuild, test, check and train with it:\n  cmake -S soft_kl -B soft_kl/build"));
  CHECK(contains(answer.out, "\n  kdhost check soft_kl/build/soft_kl.so\n  kdhost soft_kl/experiment.toml\n"));
  const std::string source = program.read("soft_kl/soft_kl.cpp");
  CHECK(contains(source, "struct SoftKl final : Loss {"));
  CHECK(contains(source, "s.id(\"acme.soft_kl\")"));
  CHECK(contains(source, "#include <kdhost/plugin.hpp>"));
  CHECK(contains(program.read("soft_kl/CMakeLists.txt"), "kdhost_add_plugin(soft_kl SOURCES soft_kl.cpp)"));
  CHECK(contains(program.read("soft_kl/experiment.toml"), "use    = \"acme.soft_kl\""));
  CHECK(contains(program.read("soft_kl/.github/workflows/ci.yml"), "ctest --test-dir build"));
}

TEST_CASE("the exact tier and another folder are options") {
  const Program program;
  const Answer answer = program.kdhost("new model net --tier exact --dir 'my work/net'");
  CHECK(answer.exit == 0);
  CHECK(contains(answer.out, "\n  cmake --build 'my work/net'/build\n"));
  CHECK(contains(program.read("my work/net/net.cpp"), "#include <kdhost/exact.hpp>"));
  CHECK(contains(program.read("my work/net/CMakeLists.txt"), "kdhost_add_plugin(net TIER exact SOURCES net.cpp)"));
  CHECK_FALSE(std::filesystem::exists(program / "my work/net/teacher.toml"));
}

TEST_CASE("a project that cannot be made is refused before anything is written") {
  const Program program;
  const auto refused = [&](const std::string& arguments, int exit, const std::string& text) {
    const Answer answer = program.kdhost("new " + arguments);
    INFO(arguments);
    CHECK(answer.exit == exit);
    CHECK(answer.err == "error: kdhost new: " + text);
    CHECK(answer.out.empty());
  };
  refused("los my_loss", 2,
          "unknown kind 'los'.\n  Expected one of: loss, model, scheduler, dataset, transform, metric. Did you mean "
          "'loss'?\n");
  refused(
      "loss My-Loss", 2,
      "the name is 'My-Loss'.\n  Expected NAME or AUTHOR.NAME of lower-case letters, digits and '_', beginning with a "
      "letter. For example my_loss, or acme.my_loss.\n");
  refused("loss kdhost.kd", 2,
          "the name 'kdhost.kd' begins with 'kdhost.'.\n  That prefix is kdhost's own. Take a name of your own, as "
          "acme.kd.\n");
  refused("loss", 2, "NAME is missing.\n  Example: kdhost new loss my_loss\n");
  refused("loss a --tier portabel", 2,
          "--tier is 'portabel'.\n  Expected portable or exact. Did you mean 'portable'?\n");
  CHECK(program.shell("mkdir there && touch there/file").exit == 0);
  refused("loss there", 4,
          "'there' exists already.\n  Expected a new or an empty folder. Give another name, or another folder with "
          "--dir.\n");
}
