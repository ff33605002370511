// SPDX-License-Identifier: MIT
// --set: what it reaches, how values are read, and what it says when it reaches nothing.
#include "config/overrides.hpp"

#include <catch2/catch.hpp>

#include "experiment_text.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

const std::string kMore = kGood +
                          "[[loss]]\nuse = \"kdhost.kd\"\nname = \"soft\"\nparams = { temperature = 4.0 }\n"
                          "[[schedule]]\ntarget = \"optimizer.lr\"\nuse = \"kdhost.linear\"\n"
                          "[[data.transform]]\nuse = \"kdhost.flip\"\n";

Experiment set(std::vector<std::string> overrides) { return read(kMore, std::move(overrides)); }

}  // namespace

TEST_CASE("an override reaches any value of the file", "[config]") {
  CHECK(set({"title=A run"}).title == "A run");
  CHECK(set({"title=2024"}).title == "2024");
  CHECK(set({"title=a=b"}).title == "a=b");
  CHECK(set({"seeds=[4,5]"}).seeds.size() == 2);
  CHECK(set({"seeds=4"}).seeds == std::vector<Integer>{Integer{4}});
  CHECK(set({"data.batch=8"}).data.batch == 8);
  CHECK(set({"optimizer.lr=1e-2"}).optimizer.lr == 0.01);
  CHECK(set({"train.precision=fp64"}).train.precision == Precision::fp64);
  CHECK(set({"train.precision=\"bf16\""}).train.precision == Precision::bf16);
  CHECK(set({"baseline.enabled=false"}).baseline.enabled == false);
  CHECK(set({"student.params.hidden=[1, 2]"}).student.component.params.find("hidden")->list().size() == 2);
  CHECK(set({"student.params={hidden=[7]}"}).student.component.params.find("hidden")->list().size() == 1);
  CHECK(set({"loss.soft.weight=0.5"}).losses[1].weight == 0.5);
  CHECK(set({"loss.1.weight=0.5"}).losses[1].weight == 0.5);
  CHECK(set({"loss.soft.params.temperature=2"}).losses[1].component.params.find("temperature")->integer() == 2);
  CHECK(set({"loss.kd.inputs.student.logits=head"}).losses[0].inputs[0] ==
        Binding{{"student.logits"}, {{"head"}}, false});
  CHECK(set({"schedule.0.params.to=3"}).schedules[0].component.params.find("to")->integer() == 3);
  CHECK(set({"data.transform.flip.params.p=0.1"}).data.transforms[0].component.params.find("p")->number() == 0.1);
  CHECK(set({"teacher.weights=/w"}).teachers[0].weights->value == "/w");
  CHECK(set({"teacher.teacher.weights=/w"}).teachers[0].weights->value == "/w");
  CHECK(set({"numerics.threads=3"}).numerics.threads == 3);
}

TEST_CASE("the last override of a key wins, and a length replaces the other one", "[config]") {
  CHECK(set({"data.batch=8", "data.batch=9"}).data.batch == 9);
  const Experiment e = set({"train.steps=5"});
  CHECK_FALSE(e.train.epochs.has_value());
  CHECK(e.train.steps->value == 5);
}

TEST_CASE("an element keeps its name while its component is swapped", "[config]") {
  const Experiment e = set({"loss.kd.use=kdhost.dkd", "loss.kd.weight=3"});
  CHECK(e.losses[0].component.use.value == "kdhost.dkd");
  CHECK(e.losses[0].weight == 3.0);
}

TEST_CASE("a teacher can be added and one of several is chosen by name", "[config]") {
  const std::string plain = changed("[teacher]\nuse = \"kdhost.mlp\"\n", "");
  CHECK(read(plain, {"teacher.from=/t.toml"}).teachers[0].from->value == "/t.toml");
  const std::string two = changed("[teacher]\nuse = \"kdhost.mlp\"\n",
                                  "[[teacher]]\nname = \"a\"\nuse = \"kdhost.mlp\"\n"
                                  "[[teacher]]\nname = \"b\"\nuse = \"kdhost.mlp\"\n");
  CHECK(read(two, {"teacher.b.cache=off"}).teachers[1].cache == CacheMode::off);
}

TEST_CASE("a value that an override wrote knows it", "[config]") {
  const Experiment e = set({"loss.soft.params.temperature=2"});
  CHECK(e.losses[1].component.params.find("temperature")->place().text() == "--set loss.soft.params.temperature=2");
}

TEST_CASE("an override that is none is a mistake of the command line", "[config]") {
  CHECK(error_of(kMore, {"data.batch"}) ==
        "2\n--set data.batch: has no '='.\n  Expected --set key.path=value. For example --set train.epochs=3.");
  CHECK(error_of(kMore, {"=3"}) ==
        "2\n--set =3: has no key before '='.\n  Expected --set key.path=value. For example --set train.epochs=3.");
}

TEST_CASE("an override that reaches nothing says what there is", "[config]") {
  CHECK(error_of(kMore, {"data.bach=3"}) ==
        "--set data.bach=3: 'data.bach' names nothing: unknown key 'bach'.\n"
        "  Known keys: use, params, path, batch, eval_batch, validation, omit_classes, train, labels, shuffle, "
        "drop_last, "
        "split_seed, views, transform. Did you mean 'batch'?");
  CHECK(error_of(kMore, {"loss.sofd.weight=3"}) ==
        "--set loss.sofd.weight=3: 'loss.sofd.weight' names nothing: no [[loss]] is called 'sofd'.\n"
        "  Known names: kd, soft. Did you mean 'soft'?");
  CHECK(error_of(kMore, {"data.batch.x=3"}) ==
        "--set data.batch.x=3: 'data.batch.x' names nothing: 'batch' holds no keys.\n"
        "  Expected an integer (samples), at least 1.");
  CHECK(error_of(kMore, {"loss.soft=3"}) ==
        "--set loss.soft=3: 'loss.soft' names a whole table.\n"
        "  Expected a key of it: use, params, path, name, weight, enabled, inputs.");
  CHECK(error_of(kMore, {"stage.0.epochs=3"}) ==
        "--set stage.0.epochs=3: 'stage.0.epochs' names nothing: the experiment has no [[stage]].");
  CHECK(error_of(kMore, {"include=x"}) == "--set include=x: 'include' cannot be overridden.\n  Write it in the file.");
  CHECK(error_of(kMore + "[[data.transform]]\nuse = \"kdhost.flip\"\n", {"data.transform.flip.on=all"}) ==
        "--set data.transform.flip.on=all: 'data.transform.flip.on' names several [[transform]].\n"
        "  Use the number from 0 instead of the name, or give each a name.");
}

TEST_CASE("a wrong value names the override", "[config]") {
  CHECK(error_of(kMore, {"data.batch=many"}) ==
        "--set data.batch=many: 'batch' in [data] is the string 'many'.\n"
        "  Expected an integer (samples), at least 1.");
  CHECK(error_of(kMore, {"seeds=[1, 2"}) ==
        "--set seeds=[1, 2: 'seeds' is the string '[1, 2'.\n"
        "  Expected a list of integers, at least 0.");
  CHECK(error_of(kMore, {"loss.kd.weight=nan"}) ==
        "--set loss.kd.weight=nan: 'weight' in [[loss]] 'kdhost.kd' is nan.\n  Expected a number.");
}
