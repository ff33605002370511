// SPDX-License-Identifier: MIT
// Levels 4 and 5 of the validator against the zoo: instances of every kind that break what all kinds promise, and
// losses that break what losses promise.
#include "check/zoo_check.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

std::string wrong_lives(const std::vector<std::array<std::string, 3>>& cases, double limit = 10.0) {
  return differences("broken", cases, limit);
}

const std::string kSegfault = "crash: crashed with SIGSEGV (Segmentation fault), in ";
const std::string kAbort = "crash: crashed with SIGABRT (Aborted), in ";
const std::string kStudentGradient =
    " Do not detach the student's side, and compute with the operators of the SDK or custom_grad.";

}  // namespace

TEST_CASE("each fault in the life of an instance gets its sentence") {
  CHECK(wrong_lives({
            {"refuses_its_bound", "life.bounds",
             "warn: allows width = 8, but create refuses it: loss 'zoo.refuses_its_bound', in create: 8 is too wide. "
             "Declare "
             "the range that create accepts, or accept the range that is declared."},
            {"trusts_types", "life.refusals",
             kAbort + "create of 'zoo.trusts_types' with parameters of wrong types." + kRunAlone},
            {"stays_on_its_thread", "life.other_thread",
             kAbort + "destroy of 'zoo.stays_on_its_thread' on another thread." + kRunAlone},
            {"counts_instances", "life.independent",
             "fail: gives another result while a second instance is used. Keep everything in the instance, nothing in "
             "global "
             "or static variables."},
            {"crashes_in_destroy", "life.defaults",
             kSegfault + "the function create of 'zoo.crashes_in_destroy'." + kRunAlone},
        }) == "");
  CHECK(wrong_lives(
            {{"hangs_in_create", "life.defaults",
              "timeout: did not end within 0.5 s, in the function create of 'zoo.hangs_in_create'; the process was "
              "killed." +
                  kFindOut}},
            0.5) == "");
  const std::string leak = finding_of({"broken", "zoo.leaks_in_create", "life.memory", ""});
  CHECK(leak.rfind("fail: loses 10", 0) == 0);
  CHECK(leak.find(" bytes each time an instance is created and destroyed (1000 times). Free in destroy what create "
                  "allocates; in C++ let members own it.") != std::string::npos);
  CHECK(finding_of({"misbehaving", "zoo.throws_in_create", "life.defaults", ""}) ==
        "fail: cannot be created with its defaults: loss 'zoo.throws_in_create', in create: no instance today. Choose "
        "defaults that work, or document the shapes of its ports in brackets, as \"[N, C]\".");
}

TEST_CASE(
    "a table of functions that is short, odd or missing is told apart, and a longer host is no reason to refuse") {
  const std::string incomplete =
      "fail: loss 'zoo.faulty', in create: the table of functions has no 'compute'. Expected a complete table. This is "
      "a "
      "mistake in the plugin.";
  const auto found = [](const std::string& plugin, const std::string& test) {
    return finding_of({plugin, "zoo.faulty", test, ""});
  };
  CHECK(found("short_table", "life.table") == incomplete);
  CHECK(found("null_compute", "life.table") == incomplete);
  CHECK(found("odd_table", "life.table") ==
        "fail: gives a table of functions whose struct_size is 1000001. Set struct_size to sizeof the table's type.");
  CHECK(found("null_table", "life.defaults") ==
        "fail: cannot be created with its defaults: loss 'zoo.faulty', in create: gave no table of functions. Expected "
        "a table of functions. This is a mistake in the plugin.");
  CHECK(
      found("picky_host", "life.later_host") ==
      "fail: cannot be created by a host of a later minor version, whose structures are longer: loss 'zoo.faulty', in "
      "create: an unknown host. Walk arrays with the stride that stands beside them, and accept a larger struct_size.");
  CHECK(found("silent_error", "call.missing_input") ==
        "fail: fails without a word when its port 'student.logits' is not bound. Set a text with set_error before "
        "returning a status.");
  CHECK(no_process_left());
}

TEST_CASE("each fault of a call gets its sentence") {
  CHECK(
      wrong_lives({
          {"throws", "call.works",
           "fail: loss 'zoo.throws', in compute: no value today. Document the shapes of its ports in brackets, as "
           "\"[N, "
           "C]\": "
           "the tests make inputs from them."},
          {"crashes", "call.works", kSegfault + "the function compute of 'zoo.crashes'." + kRunAlone},
          {"exits", "call.works",
           "crash: ended the process with exit code 0, in the function compute of 'zoo.exits'. A plugin must not call "
           "exit; "
           "it reports an error by an exception (in C: by a status)."},
          {"remembers", "call.same_again",
           "fail: gives different bits for the same inputs, parameters and seed. Draw random numbers from "
           "c.generator() or "
           "c.stream(i) only, and keep no state between calls; sums over threads must not depend on their order."},
          {"changes_input", "call.inputs_kept",
           "fail: changes its input 'teacher.logits'. Make a new tensor instead of working in place: others use the "
           "same "
           "memory."},
          {"works_in_place", "call.works",
           "fail: changes an input in place. Make a new tensor: operators whose names end in _ are for tensors that "
           "the "
           "plugin has made."},
          {"ignores_missing", "call.missing_input",
           "fail: gives a result though its port 'teacher.logits' is not bound. Use every port that is declared, or "
           "declare "
           "it optional()."},
          {"breaks_on_error", "call.recovers",
           "fail: gives another result after a call that failed. Change members only when nothing can fail any more."},
      }) == "");
  CHECK(wrong_lives(
            {{"hangs", "call.works",
              "timeout: did not end within 0.5 s, in the function compute of 'zoo.hangs'; the process was killed." +
                  kFindOut}},
            0.5) == "");
  const std::string mend =
      "Restore before the call returns what it has to change; use parallel_for instead of threads.";
  const std::string locale = finding_of({"broken", "zoo.changes_locale", "call.process_kept", ""});
  CHECK(locale.rfind("fail: changes the process when it is called: the C locale is ", 0) == 0);
  CHECK(locale.find(mend) != std::string::npos);
  const std::string files = finding_of({"broken", "zoo.loses_files", "call.process_kept", ""});
  CHECK(files.rfind("fail: changes the process when it is called: descriptor ", 0) == 0);
  CHECK(files.find(" was opened (/dev/null). " + mend) != std::string::npos);
}

TEST_CASE("each fault of a loss gets its sentence") {
  CHECK(
      wrong_lives({
          {"not_finite", "loss.finite",
           "fail: is inf for ordinary inputs. Work in log space (log_softmax), and keep divisors and roots away from "
           "0."},
          {"not_scalar", "call.works",
           "fail: loss 'zoo.not_scalar', in compute: returned float32 [8, 10] on cpu. Expected a floating-point scalar "
           "(shape []) on cpu. This is a mistake in the plugin."},
          {"only_float32", "loss.float64",
           "fail: returns float32 for float64 inputs. Give tensors that you make the dtype of an input."},
          {"only_four", "loss.batches",
           "warn: cannot work with a batch of 17 samples: loss 'zoo.only_four', in compute: batches of 17 are not for "
           "me. "
           "Take "
           "the number of samples from the inputs; the last batch of an epoch is often smaller."},
          {"divides_by_pairs", "loss.batches",
           "fail: is nan for a batch of 1. Guard divisors that become 0, as a number of pairs or a spread over one "
           "sample."},
          {"no_gradient", "loss.reaches_student",
           "fail: has no gradient for the student: the value has no history." + kStudentGradient},
          {"zero_gradient", "loss.reaches_student",
           "fail: has a gradient for the student that is zero everywhere." + kStudentGradient},
          {"pulls_teacher", "loss.spares_teacher",
           "warn: has a gradient for the teacher when the teacher's outputs have a history. Call detach() on the "
           "teacher's "
           "side, or a teacher that learns too (train = true) is pulled to the student."},
          {"any_shape", "loss.wrong_shape",
           "fail: gives a value though port 'teacher.logits' has one sample more than the others. Compare the sizes of "
           "its "
           "inputs, and say in an error what was found and what was expected."},
          {"idle_part", "loss.parts_learn",
           "warn: has a parameter that does not learn with the usual parameters: no path leads from the value to "
           "'idle.weight'. Use it in compute, declare it as a buffer or frozen, or say in details in which stage it "
           "learns."},
          {"overflows", "numbers.extreme",
           "fail: is not finite for logits of 10000 and -10000. Use log_softmax instead of log(softmax(x)), and "
           "multiply 0 "
           "by no infinity."},
          {"dies_of_empty", "numbers.empty_batch", kAbort + "the function compute of 'zoo.dies_of_empty'." + kRunAlone},
          {"shares_memory", "threads.instances",
           "fail: gives other results when several instances work in threads of their own. Keep everything in the "
           "instance; "
           "static and global variables are shared by all."},
          {"back_on_its_thread", "threads.backward",
           "fail: fails in its backward pass on another thread: zoo.own_thread: backward failed: another thread. Let "
           "backward of custom_grad use its "
           "arguments only: nothing thread_local, no Call."},
      }) == "");
  const auto begins = [](const std::string& name, const std::string& test, const std::string& begin) {
    const std::string found = finding_of({"broken", "zoo." + name, test, ""});
    INFO(found);
    CHECK(found.rfind(begin, 0) == 0);
  };
  begins("needs_optional", "loss.optional",
         "fail: cannot work without its optional port 'batch.label': loss 'zoo.needs_optional', in compute: ");
  begins("ignores_strides", "loss.strided", "fail: is ");
  begins("looks_at_grad_mode", "loss.without_gradient", "fail: is ");
  begins("dies_with_instance", "loss.outlives",
         "fail: the test was ended by an exception: zoo.uses_instance: backward failed: the instance is gone. Run it ");
  begins("wrong_gradient", "numbers.gradient", "fail: has the slope ");
  begins("hides_nan", "numbers.not_finite", "warn: is ");
  begins("fuzzy_crash", "fuzz.random", kAbort + "the function compute of 'zoo.fuzzy_crash', random case with seed ");
  CHECK(no_process_left());
}
