// SPDX-License-Identifier: MIT
// Wrong files, each with the full text a user sees: values that do not fit together, names, and many errors at once.
#include <catch2/catch.hpp>

#include "experiment_text.hpp"

using namespace kdhost::test;

TEST_CASE("values that contradict each other are refused at the later one", "[config]") {
  const std::string differing = differing_texts({
      {"", "[[loss]]\nuse = \"other.kd\"\n",
       "e.toml:17:7: two [[loss]] are called 'kd'; the other one stands at e.toml:12:7.\n"
       "  Expected a name of its own for each. Add name = \"...\" to one of them."},
      {"", "[[loss]]\nuse = \"x.ce\"\nname = \"kd\"\n",
       "e.toml:18:8: two [[loss]] are called 'kd'; the other one stands at e.toml:12:7.\n"
       "  Expected a name of its own for each. Add name = \"...\" to one of them."},
      {"use = \"kdhost.kd\"", "use = \"kdhost.kd\"\nenabled = false",
       "e.toml:13:11: every [[loss]] has enabled = false.\n"
       "  Expected at least one term to train with."},
      {"epochs = 2", "epochs = 2\nsteps = 100",
       "e.toml:16:9: [train] sets both 'epochs' and 'steps'.\n"
       "  Expected one of them."},
      {"epochs = 2", "epochs = 2\n[[stage]]\nepochs = 1",
       "e.toml:15:10: [train] sets 'epochs' beside [[stage]].\n"
       "  Expected the length in each [[stage]] only. Remove this line."},
      {"epochs = 2", "steps = 2\n[[stage]]\nepochs = 1",
       "e.toml:15:9: [train] sets 'steps' beside [[stage]].\n"
       "  Expected the length in each [[stage]] only. Remove this line."},
      {"epochs = 2", "[[stage]]\nname = \"first\"",
       "e.toml:15:1: [[stage]] 'first' has no length.\n"
       "  Expected epochs = N or steps = N."},
      {"epochs = 2", "[[stage]]\nepochs = 1\nsteps = 1",
       "e.toml:17:9: [[stage]] 'stage1' sets both 'epochs' and 'steps'.\n"
       "  Expected one of them."},
      {"epochs = 2", "[[stage]]\nepochs = 1\nname = \"a\"\n[[stage]]\nepochs = 1\nname = \"a\"",
       "e.toml:20:8: two [[stage]] are called 'a'; the other one stands at e.toml:17:8.\n"
       "  Expected a name of its own for each. Add name = \"...\" to one of them."},
      {"epochs = 2", "[[stage]]\nepochs = 1\nloss = []",
       "e.toml:15:1: [[stage]] 'stage1' has an empty list of losses.\n"
       "  Expected at least one [[stage.loss]], or none written to inherit those of the file."},
      {"[data]", "[data]\ntrain = 100\nlabels = 200",
       "e.toml:3:10: 'labels' in [data] is 200, but 'train' is 100.\n"
       "  Expected at most as many labels as training samples."},
      {"[student]", "from = \"t.toml\"\nweights = \"w\"\n[student]",
       "e.toml:8:11: teacher 'teacher' has both 'from' and 'weights'.\n"
       "  Expected one of them: 'from' trains the teacher, 'weights' brings it."},
      {"[student]", "ema_of = \"studnet\"\n[student]",
       "e.toml:7:10: teacher 'teacher' has ema_of = 'studnet'.\n"
       "  Expected \"student\". Did you mean 'student'?"},
      {"[student]", "ema_of = \"student\"\nweights = \"w\"\n[student]",
       "e.toml:7:10: teacher 'teacher' has both 'ema_of' and 'weights'.\n"
       "  Expected one of them: a teacher that follows the student starts as its copy."},
      {"[student]", "ema_of = \"student\"\ncache = \"memory\"\n[student]",
       "e.toml:8:9: teacher 'teacher' has cache = 'memory' beside 'ema_of'.\n"
       "  Expected cache = \"auto\" or \"off\", since the outputs of this teacher change at every step."},
      {"[student]", "train = true\ncache = \"disk\"\n[student]",
       "e.toml:8:9: teacher 'teacher' has cache = 'disk' beside 'train'.\n"
       "  Expected cache = \"auto\" or \"off\", since the outputs of this teacher change at every step."},
      {"[student]", "ema_decay = 0.9\n[student]",
       "e.toml:7:13: teacher 'teacher' has 'ema_decay' without 'ema_of'.\n"
       "  Add ema_of = \"student\" or remove it."},
      {"[student]", "rename = [[\"a\", \"b\"]]\n[student]",
       "e.toml:7:12: teacher 'teacher' has 'rename' without 'weights'.\n"
       "  Add weights = \"FILE\" or remove it."},
      {"[student]", "name = \"student\"\n[student]",
       "e.toml:7:8: a teacher is called 'student'.\n"
       "  Expected another name: this one stands for the student in taps."},
      {"[teacher]\nuse = \"kdhost.mlp\"", "[[teacher]]\nuse = \"a.b\"\n[[teacher]]\nuse = \"a.b\"",
       "e.toml:6:1: two [[teacher]] are called 'teacher'; the other one stands at e.toml:4:1.\n"
       "  Expected a name of its own for each. Add name = \"...\" to one of them."},
      {"params = { hidden = [32] }", "load = [\"conv*\"]",
       "e.toml:9:9: [student] has 'load' without 'weights'.\n"
       "  Add weights = \"FILE\" or remove it."},
      {"params = { hidden = [32] }", "rename = { a = \"b\" }",
       "e.toml:9:12: [student] has 'rename' without 'weights'.\n"
       "  Add weights = \"FILE\" or remove it."},
      {"", "[optimizer]\nmomentum = 0.9\n",
       "e.toml:17:12: 'momentum' in [optimizer] has no effect with use = 'adam'.\n"
       "  It belongs to sgd. Remove it or change use."},
      {"", "[optimizer]\nnesterov = true\n",
       "e.toml:17:12: 'nesterov' in [optimizer] has no effect with use = 'adam'.\n"
       "  It belongs to sgd. Remove it or change use."},
      {"", "[optimizer]\nuse = \"sgd\"\nnesterov = true\n",
       "e.toml:18:12: 'nesterov' in [optimizer] is true, but 'momentum' is 0.\n"
       "  Expected a momentum above 0."},
      {"", "[optimizer]\nuse = \"sgd\"\nbetas = [0.8, 0.9]\neps = 1e-3\n",
       "e.toml:18:10: 'betas' in [optimizer] has no effect with use = 'sgd'.\n"
       "  It belongs to adam and adamw. Remove it or change use.\n"
       "e.toml:19:7: 'eps' in [optimizer] has no effect with use = 'sgd'.\n"
       "  It belongs to adam and adamw. Remove it or change use."},
  });
  REQUIRE(differing == "");
}

TEST_CASE("a tap of a model that is not there is refused", "[config]") {
  const std::string differing = differing_texts({
      {"[teacher]\nuse = \"kdhost.mlp\"\n\n[student]\nuse = \"kdhost.mlp\"\nparams = { hidden = [32] }\n\n[[loss]]\n",
       "[student]\nuse = \"kdhost.mlp\"\n\n[[loss]]\ninputs = { student = \"h\", teacher = \"h\" }\n",
       "e.toml:8:37: port 'teacher' takes a tap of the teacher, but the experiment has no [teacher].\n"
       "  Expected a table [teacher]. Or name a tap of the student: \"student:h\"."},
      {"[[loss]]\n", "[[loss]]\ninputs = { teacher = [\"techer:h\"] }\n",
       "e.toml:12:23: tap 'techer:h' of port 'teacher' names an unknown model.\n"
       "  Known models: student, teacher. Did you mean 'teacher'?"},
      {"[[loss]]\n", "[[loss]]\ninputs = { teacher = \":h\" }\n",
       "e.toml:12:22: tap ':h' of port 'teacher' is not complete.\n"
       "  Expected tap or model:tap."},
      {"[teacher]\nuse = \"kdhost.mlp\"\n\n[student]\nuse = \"kdhost.mlp\"\nparams = { hidden = [32] }\n\n[[loss]]\n",
       "[[teacher]]\nname = \"big\"\nuse = \"a.b\"\n[[teacher]]\nname = \"wide\"\nuse = \"a.b\"\n[student]\nuse = "
       "\"a.b\"\n[[loss]]\ninputs = { teacher = \"h\" }\n",
       "e.toml:13:22: tap 'h' of port 'teacher' names no teacher, and there are several.\n"
       "  Expected NAME:h with one of big, wide."},
  });
  REQUIRE(differing == "");
}

TEST_CASE("a schedule drives one number that exists", "[config]") {
  const std::string differing = differing_texts({
      {"", "[[schedule]]\ntarget = \"loss.dk.weight\"\nuse = \"x.y\"\n",
       "e.toml:17:10: target 'loss.dk.weight' names nothing.\n"
       "  Known names of [[loss]]: kd. Did you mean 'loss.kd.weight'?"},
      {"", "[[schedule]]\ntarget = \"loss.kd.wieght\"\nuse = \"x.y\"\n",
       "e.toml:17:10: target 'loss.kd.wieght' names nothing.\n"
       "  Expected loss.NAME.weight, loss.NAME.params.P, optimizer.KEY, student.params.P, "
       "teacher.params.P, teacher.NAME.params.P or data.transform.NAME.params.P. Did you mean "
       "'loss.kd.weight'?"},
      {"", "[[schedule]]\ntarget = \"kd.weight\"\nuse = \"x.y\"\n",
       "e.toml:17:10: target 'kd.weight' names nothing.\n"
       "  Expected loss.NAME.weight, loss.NAME.params.P, optimizer.KEY, student.params.P, "
       "teacher.params.P, teacher.NAME.params.P or data.transform.NAME.params.P. Did you mean "
       "'loss.kd.weight'?"},
      {"", "[[schedule]]\ntarget = \"optimizer.rl\"\nuse = \"x.y\"\n",
       "e.toml:17:10: target 'optimizer.rl' names nothing.\n"
       "  Numbers of this optimizer: lr, eps, weight_decay, clip_norm. Did you mean 'optimizer.lr'?"},
      {"", "[[schedule]]\ntarget = \"optimizer.momentum\"\nuse = \"x.y\"\n",
       "e.toml:17:10: target 'optimizer.momentum' names nothing.\n"
       "  Numbers of this optimizer: lr, eps, weight_decay, clip_norm."},
      {"", "[[schedule]]\ntarget = \"teacher.big.params.p\"\nuse = \"x.y\"\n",
       "e.toml:17:10: target 'teacher.big.params.p' names nothing.\n"
       "  Known names of [teacher]: teacher."},
      {"", "[[schedule]]\ntarget = \"data.transform.crop.params.p\"\nuse = \"x.y\"\n",
       "e.toml:17:10: target 'data.transform.crop.params.p' names nothing.\n"
       "  The experiment has no [[data.transform]]."},
      {"",
       "[[data.transform]]\nuse = \"x.crop\"\n[[data.transform]]\nuse = \"x.crop\"\n[[schedule]]\ntarget = "
       "\"data.transform.crop.params.p\"\nuse = \"x.y\"\n",
       "e.toml:21:10: 'data.transform.crop.params.p' could mean 2 transforms.\n"
       "  Expected a name that only one [[data.transform]] has. Give them names with name = \"...\"."},
      {"",
       "[[data.transform]]\nuse = \"x.crop\"\n[[schedule]]\ntarget = \"data.transform.corp.params.p\"\nuse = \"x.y\"\n",
       "e.toml:19:10: target 'data.transform.corp.params.p' names nothing.\n"
       "  Known names of [[data.transform]]: crop. Did you mean 'data.transform.crop.params.p'?"},
      {"",
       "[[schedule]]\ntarget = \"optimizer.lr\"\nuse = \"x.y\"\n[[schedule]]\ntarget = \"optimizer.lr\"\nuse = "
       "\"x.z\"\n",
       "e.toml:20:10: two [[schedule]] drive 'optimizer.lr'; the other one stands at e.toml:17:10.\n"
       "  Expected one schedule for each number. Remove one of them."},
      {"",
       "[[schedule]]\ntarget = \"teacher.params.p\"\nuse = \"x.y\"\n[[schedule]]\ntarget = "
       "\"teacher.teacher.params.p\"\nuse = \"x.z\"\n",
       "e.toml:20:10: two [[schedule]] drive 'teacher.teacher.params.p'; the other one stands at "
       "e.toml:17:10.\n"
       "  Expected one schedule for each number. Remove one of them."},
      {"epochs = 2",
       "[[stage]]\nepochs = 1\n[[stage.loss]]\nuse = \"x.ce\"\n[[stage.schedule]]\ntarget = \"loss.kd.weight\"\nuse = "
       "\"x.y\"",
       "e.toml:20:10: target 'loss.kd.weight' names nothing.\n"
       "  Known names of [[loss]]: ce. Did you mean 'loss.ce.weight'?"},
  });
  REQUIRE(differing == "");
}

TEST_CASE("a variable that cannot be read is refused", "[config]") {
  const std::string differing = differing_texts({
      {"[data]", "title = \"${KDHOST_UNSET_NAME}\"\n[data]",
       "e.toml:1:9: environment variable 'KDHOST_UNSET_NAME' is not set.\n"
       "  Set it, or give a default: ${KDHOST_UNSET_NAME:-default}."},
      {"[data]", "title = \"${no end\"\n[data]",
       "e.toml:1:9: '${' has no closing '}' in '${no end'.\n"
       "  Expected ${NAME} or ${NAME:-default}. Write $${ for the two characters themselves."},
      {"[data]", "title = \"${9x}\"\n[data]",
       "e.toml:1:9: '${9x}' names no environment variable.\n"
       "  Expected ${NAME} or ${NAME:-default}. Write $${ for the two characters themselves."},
  });
  REQUIRE(differing == "");
}

TEST_CASE("all errors of a file come together, in file order", "[config]") {
  const std::string differing = differing_texts({
      {"[data]\nuse = \"kdhost.synthetic\"", "sedes = [1]\n[data]\nuse = 3\nbatch = 0\nbacth = 1",
       "e.toml:1:1: unknown key 'sedes' at the top level.\n"
       "  Known keys: title, include, seeds, plugins, data, teacher, student, loss, schedule, "
       "optimizer, train, stage, metric, baseline, numerics. Did you mean 'seeds'?\n"
       "e.toml:3:7: 'use' in [data] is 3.\n"
       "  Expected a full id such as \"kdhost.mlp\".\n"
       "e.toml:4:9: 'batch' in [data] is 0.\n"
       "  Expected an integer (samples), at least 1.\n"
       "e.toml:5:1: unknown key 'bacth' in [data].\n"
       "  Known keys: use, params, path, batch, eval_batch, validation, omit_classes, train, "
       "labels, shuffle, drop_last, split_seed, views, transform. Did you mean 'batch'?"},
      {"use = \"kdhost.kd\"",
       "use = \"kdhost.kd\"\nweight = \"x\"\nparam = 1\n[[schedule]]\ntarget = \"loss.kdd.weight\"\nuse = \"x.y\"",
       "e.toml:13:10: 'weight' in [[loss]] 'kdhost.kd' is the string 'x'.\n"
       "  Expected a number.\n"
       "e.toml:14:1: unknown key 'param' in [[loss]] 'kdhost.kd'.\n"
       "  Known keys: use, params, path, name, weight, enabled, inputs. Did you mean 'params'?\n"
       "e.toml:16:10: target 'loss.kdd.weight' names nothing.\n"
       "  Known names of [[loss]]: kd. Did you mean 'loss.kd.weight'?"},
  });
  REQUIRE(differing == "");
}
