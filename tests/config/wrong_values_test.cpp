// SPDX-License-Identifier: MIT
// Wrong files, each with the full text a user sees: TOML, keys, types, ranges, what is missing.
#include <catch2/catch.hpp>

#include "experiment_text.hpp"

using namespace kdhost::test;

TEST_CASE("a file that is no TOML is refused where it breaks", "[config]") {
  const std::string differing = differing_texts({
      {"[data]", "[data",
       "e.toml:1:6: not valid TOML: Error while parsing table header: expected ']', saw '\\n'.\n"
       "  Expected lines such as key = value and [table]."},
      {"epochs = 2", "epochs = ",
       "e.toml:15:10: not valid TOML: Error while parsing key-value pair: expected value, saw '\\n'.\n"
       "  Expected lines such as key = value and [table]."},
      {"epochs = 2", "epochs = 2\nepochs = 3",
       "e.toml:16:10: not valid TOML: Error while parsing key-value pair: cannot redefine existing "
       "integer 'epochs'.\n"
       "  Expected lines such as key = value and [table]."},
      {"", "[data]\nbatch = 3\n",
       "e.toml:16:1: not valid TOML: Error while parsing table header: cannot redefine existing "
       "table 'data'.\n"
       "  Expected lines such as key = value and [table]."},
      {"[train]", "[[ = ]]\n[train]",
       "e.toml:14:4: a table header has no name.\n"
       "  Expected [name] or [[name]]. Put a name of other characters in quotes."},
      {"[train]", "title = \"no end\n[train]",
       "e.toml:14:16: not valid TOML: Error while parsing string: unescaped control characters "
       "other than TAB (U+0009) are explicitly prohibited.\n"
       "  Expected lines such as key = value and [table]."},
      {"epochs = 2", "epochs = 1979-05-27",
       "e.toml:15:10: a date or time is not used in experiment files.\n"
       "  Expected a boolean, number, string, list or table. Put it in quotes if a text is meant."},
      {"epochs = 2", "epochs = 99999999999999999999",
       "e.toml:15:30: not valid TOML: Error while parsing decimal integer: '99999999999999999999' "
       "is not representable in 64 bits.\n"
       "  Expected lines such as key = value and [table]."},
  });
  REQUIRE(differing == "");
}

TEST_CASE("an unknown key is refused with the known ones and the nearest", "[config]") {
  const std::string differing = differing_texts({
      {"[data]", "titel = \"x\"\n[data]",
       "e.toml:1:1: unknown key 'titel' at the top level.\n"
       "  Known keys: title, include, seeds, plugins, data, teacher, student, loss, schedule, "
       "optimizer, train, stage, metric, baseline, numerics. Did you mean 'title'?"},
      {"[data]", "[data]\nbacth = 64",
       "e.toml:2:1: unknown key 'bacth' in [data].\n"
       "  Known keys: use, params, path, batch, eval_batch, validation, omit_classes, train, "
       "labels, shuffle, drop_last, split_seed, views, transform. Did you mean 'batch'?"},
      {"[train]", "[train]\nzzz = 1",
       "e.toml:15:1: unknown key 'zzz' in [train].\n"
       "  Known keys: epochs, steps, accumulate, log_steps, checkpoint_steps, evaluate_epochs, "
       "precision, teacher_precision."},
      {"[student]", "[student]\nparam = {}",
       "e.toml:8:1: unknown key 'param' in [student].\n"
       "  Known keys: use, params, path, weights, rename, load. Did you mean 'params'?"},
      {"use = \"kdhost.kd\"", "use = \"kdhost.kd\"\nwieght = 2",
       "e.toml:13:1: unknown key 'wieght' in [[loss]] 'kdhost.kd'.\n"
       "  Known keys: use, params, path, name, weight, enabled, inputs. Did you mean 'weight'?"},
      {"", "[optimiser]\nlr = 1\n",
       "e.toml:16:2: unknown key 'optimiser' at the top level.\n"
       "  Known keys: title, include, seeds, plugins, data, teacher, student, loss, schedule, "
       "optimizer, train, stage, metric, baseline, numerics. Did you mean 'optimizer'?"},
      {"", "[optimizer]\nlearning_rate = 1\n",
       "e.toml:17:1: unknown key 'learning_rate' in [optimizer].\n"
       "  Known keys: use, lr, momentum, nesterov, betas, eps, weight_decay, decay_norm_bias, clip_norm."},
      {"", "[numerics]\non_nonfinit = \"stop\"\n",
       "e.toml:17:1: unknown key 'on_nonfinit' in [numerics].\n"
       "  Known keys: on_nonfinite, device, threads, matrix_route, teacher_chunk. Did you mean "
       "'on_nonfinite'?"},
      {"", "[[schedule]]\ntarget = \"optimizer.lr\"\nuse = \"kdhost.cosine\"\nfactr = true\n",
       "e.toml:19:1: unknown key 'factr' in [[schedule]] 'kdhost.cosine'.\n"
       "  Known keys: target, use, params, path, factor. Did you mean 'factor'?"},
      {"", "[[stage]]\nepoch = 1\n",
       "e.toml:15:10: [train] sets 'epochs' beside [[stage]].\n"
       "  Expected the length in each [[stage]] only. Remove this line.\n"
       "e.toml:16:1: [[stage]] 'stage1' has no length.\n"
       "  Expected epochs = N or steps = N.\n"
       "e.toml:17:1: unknown key 'epoch' in [[stage]].\n"
       "  Known keys: name, epochs, steps, freeze, loss, optimizer, schedule. Did you mean 'epochs'?"},
      {"", "\"strange\\nkey\" = 1\n",
       "e.toml:16:1: unknown key 'strange?key' in [train].\n"
       "  Known keys: epochs, steps, accumulate, log_steps, checkpoint_steps, evaluate_epochs, "
       "precision, teacher_precision."},
  });
  REQUIRE(differing == "");
}

TEST_CASE("a value of a wrong type is refused with what was found and what was expected", "[config]") {
  const std::string differing = differing_texts({
      {"[data]", "title = 3\n[data]",
       "e.toml:1:9: 'title' is 3.\n"
       "  Expected a string."},
      {"[data]", "seeds = \"1\"\n[data]",
       "e.toml:1:9: 'seeds' is the string '1'.\n"
       "  Expected a list of integers, at least 0. Remove the quotes."},
      {"[data]", "seeds = [1, 2.0]\n[data]",
       "e.toml:1:13: 'seeds' is 2.0.\n"
       "  Expected a list of integers, at least 0. Write 2."},
      {"[data]", "data = 3\n[nothing]",
       "e.toml:1:8: 'data' is 3.\n"
       "  Expected a table.\n"
       "e.toml:2:2: unknown key 'nothing' at the top level.\n"
       "  Known keys: title, include, seeds, plugins, data, teacher, student, loss, schedule, "
       "optimizer, train, stage, metric, baseline, numerics."},
      {"[teacher]", "[[data]]\n[teacher]",
       "e.toml:4:1: not valid TOML: Error while parsing table header: cannot redefine existing "
       "table 'data' as array-of-tables.\n"
       "  Expected lines such as key = value and [table]."},
      {"[data]", "[data]\nbatch = \"64\"",
       "e.toml:2:9: 'batch' in [data] is the string '64'.\n"
       "  Expected an integer (samples), at least 1. Remove the quotes."},
      {"[data]", "[data]\nbatch = 64.0",
       "e.toml:2:9: 'batch' in [data] is 64.0.\n"
       "  Expected an integer (samples), at least 1. Write 64."},
      {"[data]", "[data]\nbatch = 64.5",
       "e.toml:2:9: 'batch' in [data] is 64.5.\n"
       "  Expected an integer (samples), at least 1."},
      {"[data]", "[data]\nshuffle = 1",
       "e.toml:2:11: 'shuffle' in [data] is 1.\n"
       "  Expected true or false."},
      {"[data]", "[data]\nshuffle = \"false\"",
       "e.toml:2:11: 'shuffle' in [data] is the string 'false'.\n"
       "  Expected true or false. Remove the quotes."},
      {"use = \"kdhost.synthetic\"", "use = [\"kdhost.synthetic\"]",
       "e.toml:2:7: 'use' in [data] is a list.\n"
       "  Expected a full id such as \"kdhost.mlp\"."},
      {"use = \"kdhost.synthetic\"", "use = \"\"",
       "e.toml:2:7: 'use' in [data] is the string ''.\n"
       "  Expected a full id such as \"kdhost.mlp\"."},
      {"params = { hidden = [32] }", "params = [32]",
       "e.toml:9:10: 'params' in [student] is a list.\n"
       "  Expected a table of parameters."},
      {"[teacher]\nuse = \"kdhost.mlp\"", "teacher = 3",
       "e.toml:4:1: unknown key 'teacher' in [data].\n"
       "  Known keys: use, params, path, batch, eval_batch, validation, omit_classes, train, "
       "labels, shuffle, drop_last, split_seed, views, transform."},
      {"[[loss]]", "[loss]",
       "e.toml:11:1: 'loss' is a table.\n"
       "  Expected an array of tables, written [[loss]]."},
      {"[[loss]]\nuse = \"kdhost.kd\"", "[student.loss]",
       "e.toml:11:10: unknown key 'loss' in [student].\n"
       "  Known keys: use, params, path, weights, rename, load.\n"
       "e.toml: the experiment has no [[loss]].\n"
       "  Expected at least one. For plain training: [[loss]] with use = \"kdhost.cross_entropy\"."},
      {"use = \"kdhost.kd\"", "use = \"kdhost.kd\"\nweight = \"0.5\"",
       "e.toml:13:10: 'weight' in [[loss]] 'kdhost.kd' is the string '0.5'.\n"
       "  Expected a number. Remove the quotes."},
      {"use = \"kdhost.kd\"", "use = \"kdhost.kd\"\nweight = [0.5]",
       "e.toml:13:10: 'weight' in [[loss]] 'kdhost.kd' is a list.\n"
       "  Expected a number."},
      {"use = \"kdhost.kd\"", "use = \"kdhost.kd\"\nname = \"k.d\"",
       "e.toml:13:8: 'name' in [[loss]] 'kdhost.kd' is the string 'k.d'.\n"
       "  Expected a name of letters, digits, '_' and '-'."},
      {"use = \"kdhost.kd\"", "use = \"kdhost.kd\"\ninputs = [\"logits\"]",
       "e.toml:13:10: 'inputs' in [[loss]] 'kdhost.kd' is a list.\n"
       "  Expected a table port = \"tap\" or port = [\"tap\", ...]."},
      {"use = \"kdhost.kd\"", "use = \"kdhost.kd\"\ninputs = { student = 3 }",
       "e.toml:13:22: port 'student' in [[loss]] 'kdhost.kd' takes 3.\n"
       "  Expected a tap or a list of taps: \"logits\", [\"block1\", \"block2\"]."},
      {"use = \"kdhost.kd\"", "use = \"kdhost.kd\"\ninputs = { student = [\"a\", \"\"] }",
       "e.toml:13:28: port 'student' in [[loss]] 'kdhost.kd' takes the string ''.\n"
       "  Expected a tap or a list of taps: \"logits\", [\"block1\", \"block2\"]."},
      {"use = \"kdhost.kd\"", "use = \"kdhost.kd\"\ninputs = { student = [] }",
       "e.toml:13:22: port 'student' in [[loss]] 'kdhost.kd' takes an empty list.\n"
       "  Expected a tap or a list of taps: \"logits\", [\"block1\", \"block2\"]."},
      {"[student]", "weights = 3\n[student]",
       "e.toml:7:11: 'weights' in [teacher] is 3.\n"
       "  Expected a path as a string."},
      {"[student]", "weights = \"w\"\nrename = [[\"a\"]]\n[student]",
       "e.toml:8:11: 'rename' in [teacher] is a list.\n"
       "  Expected a list of pairs [\"old\", \"new\"] or a table \"old\" = \"new\"."},
      {"[student]", "weights = \"w\"\nrename = { a = 1 }\n[student]",
       "e.toml:8:16: 'rename' in [teacher] is 1.\n"
       "  Expected a list of pairs [\"old\", \"new\"] or a table \"old\" = \"new\"."},
      {"", "[optimizer]\nbetas = 0.9\n",
       "e.toml:17:9: 'betas' in [optimizer] is 0.9.\n"
       "  Expected a list of two numbers, at least 0 and below 1."},
      {"", "[optimizer]\nbetas = [0.9]\n",
       "e.toml:17:9: 'betas' in [optimizer] is a list.\n"
       "  Expected a list of two numbers, at least 0 and below 1."},
      {"", "[optimizer]\nbetas = [0.9, 1.0]\n",
       "e.toml:17:15: 'betas' in [optimizer] is 1.0.\n"
       "  Expected a list of two numbers, at least 0 and below 1."},
      {"[data]", "plugins = [3]\n[data]",
       "e.toml:1:12: 'plugins' is 3.\n"
       "  Expected a list of paths."},
  });
  REQUIRE(differing == "");
}

TEST_CASE("a value out of range or choice is refused with its limits", "[config]") {
  const std::string differing = differing_texts({
      {"[data]", "[data]\nbatch = 0",
       "e.toml:2:9: 'batch' in [data] is 0.\n"
       "  Expected an integer (samples), at least 1."},
      {"[data]", "[data]\nvalidation = -1",
       "e.toml:2:14: 'validation' in [data] is -1.\n"
       "  Expected an integer (samples), at least 0."},
      {"[data]", "[data]\nlabels = 0",
       "e.toml:2:10: 'labels' in [data] is 0.\n"
       "  Expected an integer (samples), at least 1."},
      {"[data]", "seeds = [-1]\n[data]",
       "e.toml:1:10: 'seeds' is -1.\n"
       "  Expected a list of integers, at least 0."},
      {"[data]", "seeds = []\n[data]",
       "e.toml:1:9: 'seeds' is an empty list.\n"
       "  Expected at least one integer. For example seeds = [1, 2, 3]."},
      {"[data]", "seeds = [1, 2, 1]\n[data]",
       "e.toml:1:16: seed 1 stands twice in 'seeds'.\n"
       "  Expected different seeds, since equal ones give equal runs."},
      {"[data]", "[data]\nomit_classes = [3, -1]",
       "e.toml:2:20: 'omit_classes' in [data] is -1.\n"
       "  Expected a list of integers, at least 0."},
      {"[data]", "[data]\nomit_classes = [3, \"4\"]",
       "e.toml:2:20: 'omit_classes' in [data] is the string '4'.\n"
       "  Expected a list of integers, at least 0. Remove the quotes."},
      {"[data]", "[data]\nomit_classes = [3, 5, 3]",
       "e.toml:2:23: class 3 stands twice in 'omit_classes' of [data].\n"
       "  Expected each class once. Remove one of them."},
      {"epochs = 2", "epochs = -2",
       "e.toml:15:10: 'epochs' in [train] is -2.\n"
       "  Expected an integer (epochs), at least 1."},
      {"epochs = 2", "epochs = 2\nprecision = \"fp16\"",
       "e.toml:16:13: 'precision' in [train] is the string 'fp16'.\n"
       "  Expected one of fp32, bf16, fp64."},
      {"epochs = 2", "epochs = 2\nprecision = \"bf61\"",
       "e.toml:16:13: 'precision' in [train] is the string 'bf61'.\n"
       "  Expected one of fp32, bf16, fp64. Did you mean 'bf16'?"},
      {"epochs = 2", "epochs = 2\naccumulate = 0",
       "e.toml:16:14: 'accumulate' in [train] is 0.\n"
       "  Expected an integer (batches), at least 1."},
      {"", "[optimizer]\nuse = \"adma\"\n",
       "e.toml:17:7: 'use' in [optimizer] is the string 'adma'.\n"
       "  Expected one of sgd, adam, adamw. Did you mean 'adam'?"},
      {"", "[optimizer]\nuse = \"lion\"\n",
       "e.toml:17:7: 'use' in [optimizer] is the string 'lion'.\n"
       "  Expected one of sgd, adam, adamw."},
      {"", "[optimizer]\nlr = -1e-3\n",
       "e.toml:17:6: 'lr' in [optimizer] is -0.001.\n"
       "  Expected a number, at least 0."},
      {"", "[optimizer]\nlr = inf\n",
       "e.toml:17:6: 'lr' in [optimizer] is inf.\n"
       "  Expected a number, at least 0."},
      {"", "[optimizer]\neps = 0\n",
       "e.toml:17:7: 'eps' in [optimizer] is 0.\n"
       "  Expected a number, above 0."},
      {"", "[optimizer]\nuse = \"sgd\"\nmomentum = 1.0\n",
       "e.toml:18:12: 'momentum' in [optimizer] is 1.0.\n"
       "  Expected a number, at least 0 and below 1."},
      {"use = \"kdhost.kd\"", "use = \"kdhost.kd\"\nweight = nan",
       "e.toml:13:10: 'weight' in [[loss]] 'kdhost.kd' is nan.\n"
       "  Expected a number."},
      {"[student]", "cache = \"ram\"\n[student]",
       "e.toml:7:9: 'cache' in [teacher] is the string 'ram'.\n"
       "  Expected one of auto, memory, disk, off."},
      {"[student]", "ema_of = \"student\"\nema_decay = 1\n[student]",
       "e.toml:8:13: 'ema_decay' in [teacher] is 1.\n"
       "  Expected a number, at least 0 and below 1."},
      {"", "[numerics]\non_nonfinite = \"skip\"\n",
       "e.toml:17:16: 'on_nonfinite' in [numerics] is the string 'skip'.\n"
       "  Expected 'stop'."},
      {"", "[numerics]\ndevice = \"gpu\"\n",
       "e.toml:17:10: 'device' in [numerics] is the string 'gpu'.\n"
       "  Expected auto, cpu, cuda or cuda:N. Did you mean 'cpu'?"},
      {"", "[numerics]\ndevice = \"cuda:x\"\n",
       "e.toml:17:10: 'device' in [numerics] is the string 'cuda:x'.\n"
       "  Expected auto, cpu, cuda or cuda:N. Did you mean 'cuda'?"},
      {"", "[[data.transform]]\nuse = \"x.y\"\non = \"test\"\n",
       "e.toml:18:6: 'on' in [[data.transform]] 'x.y' is the string 'test'.\n"
       "  Expected one of declared, train, all."},
  });
  REQUIRE(differing == "");
}

TEST_CASE("what is missing is named with what it is for", "[config]") {
  const std::string differing = differing_texts({
      {"use = \"kdhost.synthetic\"", "",
       "e.toml:1:1: [data] has no 'use'.\n"
       "  Expected use = ...: full id of the data set."},
      {"[data]\nuse = \"kdhost.synthetic\"", "",
       "e.toml: the experiment has no [data].\n"
       "  Expected a table [data]: the data set and how batches are drawn from it."},
      {"[student]\nuse = \"kdhost.mlp\"", "[baseline]\nenabled = true\n[student]",
       "e.toml:9:1: [student] has no 'use'.\n"
       "  Expected use = ...: full id of the model."},
      {"[student]\nuse = \"kdhost.mlp\"\nparams = { hidden = [32] }", "",
       "e.toml: the experiment has no [student].\n"
       "  Expected a table [student]: the model that is trained."},
      {"[[loss]]\nuse = \"kdhost.kd\"", "",
       "e.toml: the experiment has no [[loss]].\n"
       "  Expected at least one. For plain training: [[loss]] with use = \"kdhost.cross_entropy\"."},
      {"use = \"kdhost.kd\"", "weight = 1",
       "e.toml:11:1: [[loss]] has no 'use'.\n"
       "  Expected use = ...: full id of the loss."},
      {"[teacher]\nuse = \"kdhost.mlp\"", "[teacher]",
       "e.toml:4:1: teacher 'teacher' has no 'use'.\n"
       "  Expected use = the full id of a model. Or from = an experiment file whose student is the "
       "teacher."},
      {"", "[[schedule]]\nuse = \"kdhost.cosine\"\n",
       "e.toml:16:1: [[schedule]] 'kdhost.cosine' has no 'target'.\n"
       "  Expected target = ...: path of the number, such as optimizer.lr or loss.kd.weight."},
      {"", "[[schedule]]\ntarget = \"optimizer.lr\"\n",
       "e.toml:16:1: [[schedule]] has no 'use'.\n"
       "  Expected use = ...: full id of the scheduler."},
      {"", "[[metric]]\nparams = {}\n",
       "e.toml:16:1: [[metric]] has no 'use'.\n"
       "  Expected use = ...: full id of the metric."},
  });
  REQUIRE(differing == "");
}
