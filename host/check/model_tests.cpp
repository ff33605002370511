// SPDX-License-Identifier: MIT
// Level 5 of the validator, models: outputs as declared, every parameter learns, nothing but the parts is state.
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/text.hpp"
#include "check/caller.hpp"
#include "check/child.hpp"
#include "check/suite.hpp"
#include "tensor/aten.hpp"
#include "tensor/backward.hpp"

namespace kdhost::check {
namespace {

const at::Tensor* output_of(const std::vector<NamedTensor>& results, const std::string& name) {
  const auto found = std::find_if(results.begin(), results.end(), [&](const NamedTensor& r) { return r.name == name; });
  return found == results.end() ? nullptr : &found->value;
}

std::string output_names(const std::vector<NamedTensor>& results) {
  std::vector<std::string> names;
  for (const NamedTensor& result : results) names.push_back(result.name);
  return names.empty() ? "none" : join(names);
}

Finding test_model_outputs(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const at::NoGradGuard no_grad;
  const std::vector<NamedTensor> results = caller->call();
  for (const PortInfo& declared : info->outputs) {
    if (output_of(results, declared.name) != nullptr) continue;
    return failed("declares the output '" + declared.name + "', but emits only: " + output_names(results) + ".",
                  "Emit every declared output in each forward, or do not declare those that depend on parameters.");
  }
  const at::Tensor* logits = output_of(results, "logits");
  if (logits == nullptr) {
    return warned("emits no 'logits', which losses and metrics take by default.", "Name the class scores 'logits'.");
  }
  const Layout& layout = callable(subject, *info).layout;
  if (logits->dim() < 2 || logits->size(0) != layout.batch || logits->size(1) != layout.classes) {
    return failed("gives logits of " + tensor_text(*logits) + " for " + std::to_string(layout.batch) +
                      " samples of data with " + std::to_string(layout.classes) + " classes.",
                  "Take the number of classes from ports.classes(), and keep the batch as the first dimension.");
  }
  for (const NamedTensor& result : results) {
    if (all_finite(result.value)) continue;
    return failed("gives an output '" + result.name + "' that is not finite for ordinary inputs.",
                  "Initialise its parameters with values of ordinary size.");
  }
  return passed();
}

Finding test_model_learns(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  caller->settings.flags = KDH_CALL_TRAINING;
  std::vector<at::Tensor> parts;
  const std::vector<std::size_t> slots = caller->parts.trainable();
  for (const std::size_t slot : slots) parts.push_back(caller->parts[slot]);
  if (parts.empty()) return passed("has no parameters.");
  at::Tensor sum;
  Stream stream(subject.settings().seed, "directions");
  for (const NamedTensor& result : caller->call()) {
    if (!result.value.requires_grad()) continue;
    at::Tensor weights = at::empty(result.value.sizes(), at::kFloat);
    float* data = weights.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < weights.numel(); ++i) data[i] = stream.uniform_float();
    const at::Tensor term = (result.value * weights).sum();
    sum = sum.defined() ? sum + term : term;
  }
  if (!sum.defined()) {
    return failed("has no output with a gradient in training.", "Compute outputs with the operators of the SDK.");
  }
  note_activity("the backward pass through '" + info->id + "'");
  const std::vector<at::Tensor> gradients = gradients_of(sum, parts);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const std::string& name = caller->parts.spec(slots[i]).name;
    if (!gradients[i].defined()) {
      return failed("has a parameter that never learns: no path leads from an output to '" + name + "'.",
                    "Use the parameter in forward, or declare it as a buffer or frozen.");
    }
    if (!all_finite(gradients[i])) {
      return failed("has a gradient for '" + name + "' that is not finite.", "Keep roots and divisors away from 0.");
    }
  }
  return passed();
}

Finding test_model_modes(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const at::NoGradGuard no_grad;
  const Digest parts = caller->parts.fingerprint();
  const std::vector<NamedTensor> evaluated = kept(caller->call());
  if (caller->parts.fingerprint() != parts) {
    return failed("changes its parts in evaluation mode.", "Write buffers only when c.training() is true.");
  }
  caller->settings.flags = KDH_CALL_TRAINING;
  const std::vector<NamedTensor> trained = caller->call();
  const bool random = draws_random_numbers(*caller);
  const bool statistics = std::any_of(caller->parts.list().begin(), caller->parts.list().end(),
                                      [](const PartSpec& part) { return part.role == PartRole::buffer; });
  if (random || statistics || same_bits(evaluated, trained)) return passed();
  return failed(
      "gives other outputs in training than in evaluation, though it has no buffers and draws no random numbers.",
      "Let only dropout and batch statistics depend on c.training().");
}

Finding test_model_state(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> first = make_caller(subject, *info);
  const std::unique_ptr<Caller> second = make_caller(subject, *info, callable(subject, *info), {.seed = 9});
  const at::NoGradGuard no_grad;
  // A few steps of statistics, so that buffers are not what they were created with.
  first->settings.flags = KDH_CALL_TRAINING;
  first->call();
  first->parts.apply_writes();
  first->settings.flags = 0;
  const std::vector<NamedTensor> before = kept(first->call());
  second->parts.copy_from(first->parts);
  second->inputs = first->inputs;
  if (same_bits(before, second->call())) return passed();
  return failed("gives other outputs in a second instance that has the same parts.",
                "Keep all state in parts: parameters and buffers of the Builder, never in members.");
}

Finding test_model_declares_again(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> first = make_caller(subject, *info);
  const std::unique_ptr<Caller> second = make_caller(subject, *info);
  const PartList& a = first->parts.list();
  const PartList& b = second->parts.list();
  const bool same = std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const PartSpec& x, const PartSpec& y) {
    return x.name == y.name && x.role == y.role && x.sizes == y.sizes && x.init == y.init && x.a == y.a && x.b == y.b;
  });
  if (same && first->parts.fingerprint() == second->parts.fingerprint()) return passed();
  return failed("declares other parts, or other initial values, when it is created again.",
                "Let parts depend on parameters and shapes only; the host draws initial values from the run's seed.");
}

Finding test_model_batches(Subject& subject, const ComponentInfo* info) {
  const at::NoGradGuard no_grad;
  for (const std::int64_t batch : {1, 3, 17}) {
    Fit fit = callable(subject, *info);
    fit.layout.batch = batch;
    const std::unique_ptr<Caller> caller = make_caller(subject, *info, fit);
    for (const NamedTensor& result : caller->call()) {
      if (result.name == "logits" && result.value.dim() > 0 && result.value.size(0) != batch) {
        return failed("gives logits of " + tensor_text(result.value) + " for a batch of " + std::to_string(batch) + ".",
                      "Take the number of samples from the input.");
      }
    }
  }
  return passed();
}

Finding test_model_samples_apart(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const at::NoGradGuard no_grad;
  const std::vector<NamedTensor> together = kept(caller->call());
  caller->inputs = changed(caller->inputs, [](const PortTensors&, const at::Tensor& t) { return t.narrow(0, 0, 1); });
  const std::vector<NamedTensor> alone = caller->call();
  const at::Tensor* one = output_of(alone, "logits");
  const at::Tensor* all = output_of(together, "logits");
  if (one == nullptr || all == nullptr || difference(all->narrow(0, 0, 1), *one) < 1e-3) return passed();
  return failed("gives a sample other logits when other samples are in its batch, in evaluation mode.",
                "Use running statistics in evaluation, and mix no samples.");
}

Finding test_model_frozen(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const at::NoGradGuard no_grad;
  const std::vector<NamedTensor> usual = kept(caller->call());
  caller->settings.flags = KDH_CALL_FROZEN;
  for (int round = 0; round < 2; ++round) {
    const std::vector<NamedTensor> frozen = caller->call();
    for (const NamedTensor& result : usual) {
      const at::Tensor* other = output_of(frozen, result.name);
      if (other != nullptr && difference(result.value, *other) < 1e-3) continue;
      return failed("gives another '" + result.name + "' as a frozen teacher than in evaluation mode.",
                    "Let derived tensors be functions of the parts alone, with a key of their own each.");
    }
  }
  return passed();
}

}  // namespace

void add_model_tests(std::vector<Test>& tests) {
  const auto add = [&](const char* name, Finding (*run)(Subject&, const ComponentInfo*)) {
    tests.push_back({.level = 5, .name = name, .kinds = {KDH_KIND_MODEL}, .needs = {"call.works"}, .run = run});
  };
  add("model.outputs", test_model_outputs);
  add("model.learns", test_model_learns);
  add("model.modes", test_model_modes);
  add("model.state", test_model_state);
  add("model.declares_again", test_model_declares_again);
  add("model.batches", test_model_batches);
  add("model.samples_apart", test_model_samples_apart);
  add("model.frozen", test_model_frozen);
}

}  // namespace kdhost::check
