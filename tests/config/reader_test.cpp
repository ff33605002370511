// SPDX-License-Identifier: MIT
// What a correct file becomes: values, defaults, places, environment, paths. Wrong files: wrong_files_test.cpp.
#include "config/reader.hpp"

#include <catch2/catch.hpp>

#include "config/layers.hpp"
#include "experiment_text.hpp"

using namespace kdhost;
using namespace kdhost::test;

TEST_CASE("a small experiment has its values and every default", "[config]") {
  const Experiment e = read(kGood);
  CHECK(e.data.component.use.value == "kdhost.synthetic");
  CHECK(e.data.batch == 64);
  CHECK(e.data.shuffle);
  CHECK_FALSE(e.data.train.has_value());
  REQUIRE(e.teachers.size() == 1);
  CHECK(e.teachers[0].name.value == "teacher");
  CHECK(e.teachers[0].cache == CacheMode::automatic);
  CHECK(e.student.component.params.find("hidden")->list()[0].integer() == 32);
  REQUIRE(e.losses.size() == 1);
  CHECK(e.losses[0].name.value == "kd");
  CHECK(e.losses[0].weight == 1.0);
  CHECK(e.losses[0].enabled);
  CHECK(e.optimizer.use == OptimizerKind::adam);
  CHECK(e.train.epochs->value == 2);
  CHECK(e.train.precision == Precision::fp32);
  CHECK(e.seeds == std::vector<Integer>{Integer{1}});
  CHECK(e.metrics[0].component.use.value == "kdhost.accuracy");
  CHECK(e.baseline.enabled);
  CHECK(e.numerics.on_nonfinite == OnNonfinite::stop);
  CHECK(e.files == std::vector<std::string>{"e.toml"});
}

TEST_CASE("values know where they are written and defaults that they are not", "[config]") {
  const Experiment e = read(changed("use = \"kdhost.kd\"", "use = \"kdhost.kd\"\nparams = { temperature = 4 }"));
  CHECK(e.losses[0].component.use.place == Place{"e.toml", 12, 7});
  CHECK(e.losses[0].component.place.line == 11);
  const Entry* temperature = e.losses[0].component.params.entry("temperature");
  REQUIRE(temperature != nullptr);
  CHECK(temperature->key_place == Place{"e.toml", 13, 12});
  CHECK(temperature->value.place() == Place{"e.toml", 13, 26});
  CHECK(e.train.epochs->place == Place{"e.toml", 16, 10});
  CHECK_FALSE(e.data.batch.place.known());
  CHECK_FALSE(e.optimizer.lr.place.known());
}

TEST_CASE("every key of the file reaches its member", "[config]") {
  const Experiment e = read(R"(title = "all"
seeds = [3, 4]
plugins = ["a.so", "/b"]

[data]
use = "x.data"
path = "x.so"
params = { root = "r" }
batch = 8
eval_batch = 16
validation = 10
omit_classes = [3, 7]
train = 100
labels = 50
shuffle = false
drop_last = true
split_seed = 9
views = 2
[[data.transform]]
use = "x.crop"
name = "crop"
on = "train"

[[teacher]]
name = "big"
from = "t.toml"
cache = "disk"
[[teacher]]
name = "ema"
ema_of = "student"
ema_decay = 0.99
[[teacher]]
name = "wide"
use = "x.net"
weights = "w.safetensors"
rename = [["a", "b"], ["c", "d"]]
[[teacher]]
name = "peer"
use = "x.net"
train = true

[student]
use = "x.net"
weights = "s.safetensors"
rename = { "old" = "new" }
load = "conv*"

[[loss]]
use = "x.loss"
name = "l"
weight = 0.5
enabled = true
inputs = { "teacher.features" = ["big:a", "wide:b"], student = "logits" }

[[schedule]]
target = "optimizer.lr"
use = "x.cos"
factor = true

[optimizer]
use = "sgd"
lr = 1
momentum = 0.9
nesterov = true
weight_decay = 5e-4
decay_norm_bias = false
clip_norm = 1

[train]
accumulate = 2
log_steps = 5
checkpoint_steps = 7
evaluate_epochs = 3
precision = "fp64"
teacher_precision = "bf16"

[[stage]]
name = "first"
steps = 20
freeze = ["head*"]
[[stage.loss]]
use = "x.other"
[stage.optimizer]
use = "adamw"
betas = [0.8, 0.9]
eps = 1e-6
[[stage]]
epochs = 3
schedule = []

[[metric]]
use = "x.metric"

[baseline]
enabled = false

[numerics]
on_nonfinite = "stop"
device = "cuda:1"
threads = 2
matrix_route = "onednn"
teacher_chunk = 8
)");
  CHECK(e.title == "all");
  CHECK(e.seeds.size() == 2);
  CHECK(e.plugins[1].value == "/b");
  CHECK(e.data.component.path->value == resolve_path("x.so", {"e.toml"}));
  CHECK(e.data.eval_batch->value == 16);
  CHECK(e.data.omit_classes->size() == 2);
  CHECK(e.data.omit_classes->back() == 7);
  CHECK(e.data.labels->value == 50);
  CHECK(e.data.split_seed == 9);
  CHECK(e.data.views == 2);
  CHECK_FALSE(e.data.shuffle);
  CHECK(e.data.drop_last);
  CHECK(e.data.transforms[0].on == TransformUse::train);
  CHECK(e.teachers[0].cache == CacheMode::disk);
  CHECK(e.teachers[1].ema_of->value == "student");
  CHECK(e.teachers[1].ema_decay == 0.99);
  CHECK(e.teachers[2].rename[1] == Rename{{"c"}, {"d"}});
  CHECK(e.teachers[3].train);
  CHECK(e.student.rename[0] == Rename{{"old"}, {"new"}});
  CHECK(e.student.load[0].value == "conv*");
  const std::vector<Binding>& inputs = e.losses[0].inputs;
  REQUIRE(inputs.size() == 2);
  CHECK(inputs[0] == Binding{{"student"}, {{"logits"}}, false});
  CHECK(inputs[1] == Binding{{"teacher.features"}, {{"big:a"}, {"wide:b"}}, true});
  CHECK(e.schedules[0].factor);
  CHECK(e.optimizer.lr == 1.0);
  CHECK(e.optimizer.nesterov);
  CHECK_FALSE(e.optimizer.decay_norm_bias);
  CHECK(e.optimizer.clip_norm == 1.0);
  CHECK_FALSE(e.train.epochs.has_value());
  CHECK(e.train.accumulate == 2);
  CHECK(e.train.checkpoint_steps == 7);
  CHECK(e.train.teacher_precision->value == Precision::bf16);
  REQUIRE(e.stages.size() == 2);
  CHECK(e.stages[0].losses->front().name.value == "other");
  CHECK(e.stages[0].optimizer->beta1 == 0.8);
  CHECK_FALSE(e.stages[0].schedules.has_value());
  CHECK(e.stages[1].name.value == "stage2");
  CHECK_FALSE(e.stages[1].losses.has_value());
  CHECK(e.stages[1].schedules->empty());
  CHECK(e.numerics.matrix_route == MatrixRoute::onednn);
  CHECK(e.numerics.device.value == "cuda:1");
  CHECK(plugin_paths(e).size() == 3);
}

TEST_CASE("a port may be written without quotes", "[config]") {
  const Experiment e = read(changed("use = \"kdhost.kd\"", "use = \"kdhost.kd\"\ninputs.student.features = [\"h\"]"));
  CHECK(e.losses[0].inputs[0] == Binding{{"student.features"}, {{"h"}}, true});
}

TEST_CASE("without a length there are ten epochs, with stages none", "[config]") {
  CHECK(read(changed("epochs = 2\n", "")).train.epochs->value == 10);
  CHECK_FALSE(read(changed("epochs = 2\n", "[[stage]]\nsteps = 3\n")).train.epochs.has_value());
}

TEST_CASE("the environment is read in strings, with a default and an escape", "[config]") {
  const std::string text = changed("[data]", R"(title = "${NAME}-${EMPTY:-e}-${NONE:-d f}-$${NAME}-$5"
[data])");
  CHECK(parse_experiment(text, "e.toml", options({}, {{"NAME", "n"}, {"EMPTY", ""}})).title == "n-e-d f-${NAME}-$5");
  const std::string path = changed("[student]", "weights = \"${W}/w.safetensors\"\n[student]");
  CHECK(parse_experiment(path, "e.toml", options({}, {{"W", "/weights"}})).teachers[0].weights->value ==
        "/weights/w.safetensors");
}

TEST_CASE("line endings, a byte-order mark and other scripts do not matter", "[config]") {
  std::string crlf = "\xEF\xBB\xBF";
  for (const char c : changed("[data]", "title = \"gr\xC3\xBC\xC3\x9F\"\n[data]")) {
    crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  }
  CHECK(read(crlf).title == "gr\xC3\xBC\xC3\x9F");
}

TEST_CASE("targets are taken apart", "[config]") {
  const std::vector<Teacher> teachers = read(kGood).teachers;
  using Kind = Target::Kind;
  CHECK(parse_target("loss.kd.weight", teachers) == Target{Kind::loss_weight, "kd", "weight"});
  CHECK(parse_target("loss.kd.params.t", teachers) == Target{Kind::loss_param, "kd", "t"});
  CHECK(parse_target("optimizer.lr", teachers) == Target{Kind::optimizer, "", "lr"});
  CHECK(parse_target("student.params.p", teachers) == Target{Kind::student_param, "", "p"});
  CHECK(parse_target("teacher.params.p", teachers) == Target{Kind::teacher_param, "teacher", "p"});
  CHECK(parse_target("teacher.big.params.p", teachers) == Target{Kind::teacher_param, "big", "p"});
  CHECK(parse_target("data.transform.crop.params.p", teachers) == Target{Kind::transform_param, "crop", "p"});
  CHECK_FALSE(parse_target("loss.kd", teachers).has_value());
  CHECK_FALSE(parse_target("loss..weight", teachers).has_value());
  CHECK_FALSE(parse_target("", teachers).has_value());
}
