// SPDX-License-Identifier: MIT
// kdhost export: the student alone, bit for bit as safetensors, and as TorchScript that PyTorch opens without kdhost.

#include <cstdio>

#include "cli/program.hpp"
#include "tensor/aten.hpp"
#include "tensor/safetensors.hpp"

using namespace kdhost;
using namespace kdhost::test;

TEST_CASE("export writes the student's tensors as they are") {
  const Program p;
  p.write_experiment();
  REQUIRE(p.kdhost("tiny.toml --threads 1").exit == 0);
  const std::string run = p.run_of("tiny");
  const Answer answer = p.kdhost("export " + run + " --seed 2 --which last --out copy.safetensors");
  CHECK(answer.exit == 0);
  CHECK(answer.out == "copy.safetensors\n");
  const SafetensorsFile copy(p / "copy.safetensors"), original(p / (run + "/seed-2/last.safetensors"));
  REQUIRE(copy.tensors().size() == original.tensors().size());
  for (const StoredTensor& tensor : original.tensors())
    CHECK(at::equal(copy.tensor(tensor.name), original.tensor(tensor)));

  const auto json = p.kdhost("export " + run + " --out a.safetensors --json").json();
  CHECK(json ==
        nlohmann::ordered_json({{"file", "a.safetensors"}, {"format", "safetensors"}, {"seed", 1}, {"which", "best"}}));
}

TEST_CASE("a TorchScript export needs neither teacher nor losses, and is refused a folder that is no run") {
  const Program p;
  p.write_experiment();
  REQUIRE(p.kdhost("tiny.toml --threads 1 --set seeds=[1]").exit == 0);
  const std::string run = p.run_of("tiny");
  std::filesystem::remove(p / "teacher.toml");
  std::filesystem::remove_all(p / "cache");
  const Answer answer = p.kdhost("export " + run + " --format torchscript");
  CHECK(answer.exit == 0);
  CHECK(answer.out == run + "/student.pt\n");
  CHECK(answer.err == "takes batch.input float32 [N, 1, 4, 4]\n");
  CHECK(p.read(run + "/student.pt").rfind("PK", 0) == 0);
  CHECK(p.kdhost("export nowhere").exit == 4);
}

TEST_CASE("Python opens a TorchScript export without kdhost, with the student's names and outputs") {
  const Program p;
  const std::string python =
      std::string("PYTHONPATH=\"$PYTHONPATH:") + KDHOST_TORCH_PACKAGE_PARENT + "\" python3 -W ignore ";
  if (p.shell(python + "-c 'import torch'").exit != 0) {
    std::puts("skipped: python3 has no torch package");
    return;
  }
  p.write("resnet.toml",
          "[data]\nuse = \"kdhost.synthetic\"\nbatch = 4\nparams = { samples = 8, test_samples = 6, classes = 3, shape "
          "= [3, 32, "
          "32] }\n[student]\nuse = \"kdhost.cifar_resnet\"\nparams = { depth = 8 }\n[[loss]]\nuse = "
          "\"kdhost.cross_entropy\"\n[train]\nsteps = 2\n");
  REQUIRE(p.kdhost("resnet.toml --threads 1").exit == 0);
  const std::string run = p.run_of("resnet");
  REQUIRE(p.kdhost("export " + run + " --format torchscript --out student.pt").exit == 0);
  p.write("open.py",
          "import sys, torch\n"
          "module = torch.jit.load('student.pt')\n"
          "assert not module.training\n"
          "x = torch.linspace(0, 1, 5 * 3 * 32 * 32).reshape(5, 3, 32, 32)\n"
          "y = module(x)\n"
          "assert y.shape == (5, 3), y.shape\n"
          "one = torch.cat([module(x[i:i + 1]) for i in range(5)])\n"
          "assert torch.allclose(one, y, atol=1e-5), (one - y).abs().max()\n"
          "print(' '.join(module.state_dict()))\n");
  const Answer opened = p.shell(python + "open.py");
  INFO(opened.err);
  REQUIRE(opened.exit == 0);
  std::string names;
  const SafetensorsFile stored(p / (run + "/seed-1/student.safetensors"));
  for (const StoredTensor& tensor : stored.tensors()) CHECK(contains(" " + opened.out, " " + tensor.name));
}
