// SPDX-License-Identifier: MIT
// resolved.toml: complete, readable again, and the hash of what decides a result.
#include "config/writer.hpp"

#include <catch2/catch.hpp>

#include "experiment_text.hpp"

using namespace kdhost;
using namespace kdhost::test;

TEST_CASE("resolved.toml writes every default in the order of the schema", "[config]") {
  CHECK(resolved_toml(read(kGood)) == R"(seeds = [1]
plugins = []

[data]
use = "kdhost.synthetic"
params = {}
batch = 64
validation = 0
shuffle = true
drop_last = false
split_seed = 0
views = 0

[[teacher]]
name = "teacher"
use = "kdhost.mlp"
params = {}
rename = []
cache = "auto"
ema_decay = 0.999
train = false

[student]
use = "kdhost.mlp"
params = { hidden = [32] }
rename = []
load = []

[[loss]]
use = "kdhost.kd"
params = {}
name = "kd"
weight = 1.0
enabled = true
inputs = {}

[optimizer]
use = "adam"
lr = 0.001
momentum = 0.0
nesterov = false
betas = [0.9, 0.999]
eps = 1e-08
weight_decay = 0.0
decay_norm_bias = true
clip_norm = 0.0

[train]
epochs = 2
accumulate = 1
log_steps = 50
checkpoint_steps = 0
evaluate_epochs = 1
precision = "fp32"

[[metric]]
use = "kdhost.accuracy"
params = {}

[baseline]
enabled = true

[numerics]
on_nonfinite = "stop"
device = "auto"
threads = 0
matrix_route = "auto"
teacher_chunk = 0
)");
}

TEST_CASE("resolved.toml reads back as an equal experiment, from any folder", "[config]") {
  const std::string rich =
      changed("[student]", "weights = \"w/${X:-t}.safetensors\"\nrename = { a = \"b\" }\n[student]") +
      "[[data.transform]]\nuse = \"x.crop\"\non = \"all\"\nparams = { deep = { list = [1, 2.5, \"$${X}\"] } }\n"
      "[[schedule]]\ntarget = \"loss.kd.weight\"\nuse = \"x.y\"\nfactor = true\n";
  const std::string staged =
      changed("epochs = 2", "log_steps = 1") +
      "[[stage]]\nsteps = 3\nschedule = []\n[[stage.loss]]\nuse = \"x.l\"\n"
      "inputs = { student = [\"a\"], \"teacher.logits\" = \"b\" }\n[stage.optimizer]\nuse = \"sgd\"\n"
      "momentum = 0.9\n[[stage]]\nepochs = 1\nfreeze = [\"x*\"]\n";
  for (const std::string& text : {kGood, rich, staged}) {
    const Experiment e = read(text);
    const std::string resolved = resolved_toml(e);
    INFO(resolved);
    const Experiment again = parse_experiment(resolved, "/other/folder/resolved.toml", options());
    CHECK(again == e);
    CHECK(resolved_toml(again) == resolved);
    CHECK(experiment_hash(again) == experiment_hash(e));
  }
}

TEST_CASE("the hash follows every setting but the title, the layout of the file and how it is computed", "[config]") {
  const std::string hash = experiment_hash(read(kGood));
  CHECK(hash.size() == 32);
  CHECK(experiment_hash(read(kGood, {"title=other"})) == hash);
  CHECK(experiment_hash(read("# comment\n\n" + kGood, {"data.batch=64"})) == hash);
  for (const char* how :
       {"numerics.threads=1", "numerics.device=cpu", "numerics.teacher_chunk=8", "numerics.matrix_route=onednn"}) {
    INFO(how);
    CHECK(experiment_hash(read(kGood, {how})) == hash);
  }
  for (const char* change : {"data.batch=65", "seeds=2", "loss.kd.weight=1.1", "student.params.hidden=[33]",
                             "optimizer.lr=0.0010000000000000002", "loss.kd.params.t=1", "loss.kd.inputs.student=x"}) {
    INFO(change);
    CHECK(experiment_hash(read(kGood, {change})) != hash);
  }
}
