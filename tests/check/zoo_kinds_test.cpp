// SPDX-License-Identifier: MIT
// Level 5 and 6 of the validator against the zoo: models, schedulers, data sets, transforms and metrics that break what
// their kind promises.
#include "check/zoo_check.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

std::string wrong_kinds(const std::vector<std::array<std::string, 3>>& cases) {
  return differences("broken_kinds", cases);
}

std::string found(const std::string& name, const std::string& test) {
  return finding_of(request_for(zoo("broken_kinds")), "zoo." + name, test);
}

/// `text` begins with the one and ends with the other; between them stand numbers that differ from machine to machine.
bool lies_between(const std::string& text, const std::string& begin, const std::string& end) {
  return text.size() > begin.size() + end.size() && text.rfind(begin, 0) == 0 &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

const std::string kPure =
    " Compute the value from the moment and the parameters only; history() has what was measured.";
const std::string kSums =
    " Let sums() add up over samples what result() divides; divide by a number of samples only there.";

}  // namespace

TEST_CASE("each fault of a model gets its sentence") {
  CHECK(wrong_kinds({
            {"missing_tap", "model.outputs",
             "fail: declares the output 'hidden', but emits only: logits. Emit every declared output in each forward, "
             "or do "
             "not declare those that depend on parameters."},
            {"one_class_more", "model.outputs",
             "fail: gives logits of float32 [4, 11] on cpu for 4 samples of data with 10 classes. Take the number of "
             "classes "
             "from ports.classes(), and keep the batch as the first dimension."},
            {"idle_layer", "model.learns",
             "fail: has a parameter that never learns: no path leads from an output to 'idle.weight'. Use the "
             "parameter in "
             "forward, or declare it as a buffer or frozen."},
            {"secret_mode", "model.modes",
             "fail: gives other outputs in training than in evaluation, though it has no buffers and draws no random "
             "numbers. "
             "Let only dropout and batch statistics depend on c.training()."},
            {"writes_always", "model.modes",
             "fail: changes its parts in evaluation mode. Write buffers only when c.training() is true."},
            {"secret_member", "model.state",
             "fail: gives other outputs in a second instance that has the same parts. Keep all state in parts: "
             "parameters "
             "and "
             "buffers of the Builder, never in members."},
            {"other_parts", "model.declares_again",
             "fail: declares other parts, or other initial values, when it is created again. Let parts depend on "
             "parameters "
             "and shapes only; the host draws initial values from the run's seed."},
            {"fixed_batch", "model.batches",
             "fail: gives logits of float32 [1, 170] on cpu for a batch of 17. Take the number of samples from the "
             "input."},
            {"mixes_samples", "model.samples_apart",
             "fail: gives a sample other logits when other samples are in its batch, in evaluation mode. Use running "
             "statistics "
             "in evaluation, and mix no samples."},
            {"infinite_far", "numbers.far",
             "fail: gives an output 'logits' that is not finite for inputs times 0. Keep divisors and roots away from "
             "0."},
        }) == "");
}

TEST_CASE("each fault of a scheduler gets its sentence") {
  CHECK(lies_between(found("counts_calls", "scheduler.pure"), "fail: gives ",
                     " when it is asked again after later steps." + kPure));
  CHECK(lies_between(found("needs_beginning", "scheduler.resumes"), "fail: gives ",
                     " in a run that is resumed there." + kPure));
  CHECK(wrong_kinds(
            {{"ends_in_nan", "scheduler.long",
              "fail: scheduler 'zoo.ends_in_nan', in value: returned nan at step 900000 of 1000000. Expected a finite "
              "number. This is a mistake in the plugin."},
             {"shared_scratch", "threads.one_instance",
              "fail: gives other results when several threads use one instance, which the interface allows for its "
              "kind. Change no member in a call, or guard it with a mutex."}}) == "");
}

TEST_CASE("each fault of a data set gets its sentence") {
  CHECK(
      wrong_kinds({
          {"other_each_time", "dataset.same",
           "fail: gives other training samples when it is opened again. Make samples from files, parameters and a "
           "fixed "
           "seed "
           "only; random changes belong in transforms."},
          {"sorts_index", "dataset.order",
           "fail: gives sample 39 of the training split differently alone than among others. Write sample index[i] to "
           "place i "
           "of each buffer, whatever the order."},
          {"labels_from_one", "dataset.labels",
           "fail: has the label 5 in its training split, and says that it has 5 classes. Count classes from 0, and "
           "state "
           "how "
           "many there are."},
          {"has_nan", "dataset.finite",
           "fail: has numbers in field 'input' that are not finite. Replace or leave out such samples; training would "
           "stop "
           "at "
           "them."},
          {"one_reader", "dataset.parallel",
           "fail: gives other samples when several threads fetch at once. Let fetch read only what the constructor "
           "prepared, "
           "or guard what it changes with a mutex."},
          {"other_resident", "dataset.resident",
           "fail: has other samples in memory (resident) than it fetches, in field 'input'. Let both give the same, or "
           "return "
           "null from resident."},
      }) == "");
}

TEST_CASE("each fault of a transform gets its sentence") {
  CHECK(
      wrong_kinds({
          {"emits_nothing", "transform.shape",
           "fail: emits no field, so it changes nothing. Emit each changed field by name, as c.emit(\"input\", x)."},
          {"by_place", "transform.order",
           "fail: gives a sample another 'input' when the samples of its batch are in another order. Draw from "
           "c.stream(i) "
           "only, the stream of sample i, and from nothing else. Say mixes_samples() if samples of a batch are mixed."},
          {"lies_fixed", "transform.keys",
           "fail: says that it is fixed, but changes a sample differently in another epoch. Remove fixed() from "
           "describe, "
           "or "
           "do not draw random numbers."},
          {"silently_fixed", "transform.keys",
           "warn: changes a sample the same way in every epoch, but does not say that it is fixed. Add fixed() in "
           "describe, "
           "so that it is used in evaluation too and teacher outputs can be kept."},
      }) == "");
}

TEST_CASE("each fault of a metric gets its sentence") {
  CHECK(lies_between(found("mean_of_means", "metric.split"),
                     "fail: gives for one batch and for the same samples in three: score = ", kSums));
  CHECK(lies_between(found("first_sample", "metric.order"),
                     "fail: gives for the same samples in another order: score = ", kSums));
  CHECK(lies_between(found("hoards", "metric.reset"), "fail: remembers earlier samples after a reset: score = ",
                     " Keep no sums in members; the host adds them up."));
}
