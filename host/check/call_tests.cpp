// SPDX-License-Identifier: MIT
// Level 5 of the validator, what holds for components of every kind that is called: same again, nothing changed, errors
// in words.

#include "base/text.hpp"
#include "check/caller.hpp"
#include "check/process_state.hpp"
#include "check/suite.hpp"
#include "tensor/aten.hpp"

namespace kdhost::check {
namespace {

Finding test_works(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  try {
    caller->call();
  } catch (const Error& error) {
    if (std::string(error.what()).find("leaf Variable that requires grad") != std::string::npos) {
      return failed("changes an input in place.",
                    "Make a new tensor: operators whose names end in _ are for tensors that the plugin has made.");
    }
    Finding finding = failed(error, subject.file().string());
    if (finding.mend.empty()) {
      finding.mend = "Document the shapes of its ports in brackets, as \"[N, C]\": the tests make inputs from them.";
    }
    return finding;
  }
  return passed();
}

Finding test_same_again(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const std::vector<NamedTensor> first = kept(caller->call());
  caller->parts.discard_writes();
  caller->call();
  caller->parts.discard_writes();
  if (same_bits(first, caller->call())) return passed();
  return failed(
      "gives different bits for the same inputs, parameters and seed.",
      "Draw random numbers from c.generator() or c.stream(i) only, and keep no state between calls; sums over "
      "threads must not depend on their order.");
}

Finding test_inputs_kept(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  std::vector<std::pair<at::Tensor, std::uint32_t>> before;
  const std::vector<at::Tensor> tensors = flat(caller->inputs);
  for (const at::Tensor& tensor : tensors) before.emplace_back(tensor.detach().clone(), tensor._version());
  const std::vector<NamedTensor> results = caller->call();
  at::Tensor sum;
  for (const NamedTensor& result : results) {
    if (!result.value.requires_grad()) continue;
    sum = sum.defined() ? sum + result.value.sum() : result.value.sum();
  }
  if (sum.defined()) sum.backward();
  std::size_t at = 0;
  for (const PortTensors& port : caller->inputs) {
    for (const at::Tensor& tensor : port.tensors) {
      const auto& [values, version] = before[at++];
      const bool same_values = same_bits(values, tensor);
      if (same_values && tensor._version() == version) continue;
      return failed(std::string("changes its input '") + port.port + "'" +
                        (same_values ? ": it is written to, though with the same values." : "."),
                    "Make a new tensor instead of working in place: others use the same memory.");
    }
  }
  return passed();
}

Finding test_missing_input(Subject& subject, const ComponentInfo* info) {
  for (const PortInfo& port : info->inputs) {
    if (port.optional) continue;
    const std::unique_ptr<Caller> caller = make_caller(subject, *info);
    std::erase_if(caller->inputs, [&](const PortTensors& bound) { return bound.port == port.name; });
    try {
      caller->call();
    } catch (const Error& error) {
      const std::string text = error.what();
      if (text.find("and no text.") == std::string::npos) continue;
      return failed("fails without a word when its port '" + port.name + "' is not bound.",
                    "Set a text with set_error before returning a status.");
    }
    return failed("gives a result though its port '" + port.name + "' is not bound.",
                  "Use every port that is declared, or declare it optional().");
  }
  return passed();
}

Finding test_process_kept(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  caller->call();  // LibTorch's own threads start with the first work
  const ProcessState before = process_state();
  caller->parts.discard_writes();
  caller->call();
  ProcessState after = process_state();
  // The host seeds the generator for the call.
  after.settings["the state of LibTorch's random generator"] =
      before.settings.at("the state of LibTorch's random generator");
  std::vector<std::string> changes = changed_settings(before, after);
  for (const std::string& signal : changed_signals(before, after))
    changes.push_back("the handling of " + signal + " changed");
  for (const std::string& open : changed_descriptors(before, after)) changes.push_back("descriptor " + open);
  if (after.has_children != before.has_children) changes.emplace_back("a process was started");
  if (after.threads > before.threads) changes.emplace_back("a thread was started");
  if (changes.empty()) return passed();
  return failed("changes the process when it is called: " + join(changes, "; ") + ".",
                "Restore before the call returns what it has to change; use parallel_for instead of threads.");
}

// Errors must leave the instance as it was.
Finding test_recovers(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const std::vector<NamedTensor> first = kept(caller->call());
  caller->parts.discard_writes();
  const Tensors good = caller->inputs;
  // One dimension less than anything documents.
  caller->inputs =
      changed(good, [](const PortTensors&, const at::Tensor& t) { return t.detach().flatten().narrow(0, 0, 1); });
  try {
    caller->call();
  } catch (const Error&) {
    // Expected; a component that can work with such inputs may.
  }
  caller->parts.discard_writes();
  caller->inputs = good;
  if (same_bits(first, caller->call())) return passed();
  return failed("gives another result after a call that failed.",
                "Change members only when nothing can fail any more.");
}

}  // namespace

void add_call_tests(std::vector<Test>& tests) {
  const std::vector<kdh_kind> all{KDH_KIND_LOSS,    KDH_KIND_MODEL,     KDH_KIND_SCHEDULER,
                                  KDH_KIND_DATASET, KDH_KIND_TRANSFORM, KDH_KIND_METRIC};
  const std::vector<kdh_kind> fed{KDH_KIND_LOSS, KDH_KIND_MODEL, KDH_KIND_TRANSFORM, KDH_KIND_METRIC};
  const auto add = [&](const char* name, const std::vector<kdh_kind>& kinds, const char* need,
                       Finding (*run)(Subject&, const ComponentInfo*)) {
    tests.push_back({.level = 5, .name = name, .kinds = kinds, .needs = {need}, .run = run});
  };
  add("call.works", all, "life.defaults", test_works);
  add("call.same_again", all, "call.works", test_same_again);
  add("call.inputs_kept", fed, "call.works", test_inputs_kept);
  add("call.missing_input", fed, "call.works", test_missing_input);
  add("call.process_kept", all, "call.works", test_process_kept);
  add("call.recovers", fed, "call.works", test_recovers);
}

}  // namespace kdhost::check
