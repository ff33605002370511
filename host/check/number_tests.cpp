// SPDX-License-Identifier: MIT
// Level 6 of the validator: numbers of losses and models at the edges of what a run may bring.
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

#include "base/text.hpp"
#include "check/caller.hpp"
#include "check/child.hpp"
#include "check/suite.hpp"
#include "tensor/aten.hpp"
#include "tensor/backward.hpp"

namespace kdhost::check {
namespace {

double number_of(Caller& caller) {
  const double value = caller.call().front().value.detach().to(at::kDouble).item<double>();
  caller.parts.discard_writes();
  return value;
}

at::Tensor direction(const at::Tensor& like, Stream& stream) {
  at::Tensor made = at::empty(like.sizes(), at::kDouble);
  double* data = made.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < made.numel(); ++i) data[i] = stream.normal();
  return made / std::sqrt(static_cast<double>(std::max<std::int64_t>(1, made.numel())));
}

// The published gradient of some methods is not that of their value; then their description says it.
bool says_detached(const ComponentInfo& info) {
  for (const char* words : {"detach", "no gradient", "without gradient", "stop-gradient"}) {
    if (info.details.find(words) != std::string::npos) return true;
  }
  return false;
}

// Along random directions: one number for all elements at once, so that a wrong element shows.
Finding test_gradient(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info, {.dtype = at::kDouble});
  const std::vector<at::Tensor> student = side_of(caller->inputs, "student");
  if (student.empty()) return passed("has no port of the student.");
  // The first call may set what later ones take as given (a normaliser, a memory bank).
  caller->call();
  caller->parts.apply_writes();
  const at::Tensor value = caller->call().front().value;
  caller->parts.discard_writes();
  if (!value.requires_grad() || value.scalar_type() != at::kDouble) {
    return skipped("its value has no history in float64, which other tests have said.");
  }
  note_activity("the backward pass through '" + info->id + "'");
  const std::vector<at::Tensor> gradients = gradients_of(value, student);
  const at::NoGradGuard no_grad;
  Stream stream(subject.settings().seed, "directions");
  for (std::size_t i = 0; i < student.size(); ++i) {
    const at::Tensor kept_values = student[i].detach().clone();
    const at::Tensor inputs = student[i].detach();
    for (int round = 0; round < 3; ++round) {
      const at::Tensor along = direction(inputs, stream);
      constexpr double kStep = 1e-5;
      inputs.copy_(kept_values + along * kStep);
      const double above = number_of(*caller);
      inputs.copy_(kept_values - along * kStep);
      const double below = number_of(*caller);
      inputs.copy_(kept_values);
      const double slope = (above - below) / (2.0 * kStep);
      const double given = gradients[i].defined() ? (gradients[i].to(at::kDouble) * along).sum().item<double>() : 0.0;
      if (std::abs(slope - given) <= 1e-4 * std::max(1.0, std::max(std::abs(slope), std::abs(given)))) continue;
      const std::string text = "has the slope " + shortest(slope) +
                               " along a random direction of the student's input " + std::to_string(i) +
                               ", and its gradient says " + shortest(given) + ".";
      if (says_detached(*info)) return passed(text + " Its details say that something has no gradient.");
      return failed(
          text,
          "Compare backward of custom_grad with the formula (gradient_error in kdhost/testing.hpp). If a part "
          "of the student's side is detached on purpose, say so in details (\"detached\", \"without "
          "gradient\").");
    }
  }
  return passed();
}

Tensors with_numbers(const Tensors& inputs, const std::function<void(at::Tensor&)>& spoil) {
  return changed(inputs, [&](const PortTensors&, const at::Tensor& t) {
    if (!t.is_floating_point()) return t;
    at::Tensor made = t.detach().clone();
    spoil(made);
    return made.requires_grad_(t.requires_grad());
  });
}

bool takes_logits(const ComponentInfo& info) {
  for (const PortInfo& port : info.inputs) {
    if (port.name == "student.logits") return true;
  }
  return false;
}

Finding test_extreme(Subject& subject, const ComponentInfo* info) {
  if (!takes_logits(*info)) return passed("takes no logits.");
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  caller->inputs = with_numbers(caller->inputs, [](at::Tensor& t) { t.sign_().mul_(1e4); });
  const at::Tensor value = caller->call().front().value;
  if (!all_finite(value)) {
    return failed("is not finite for logits of 10000 and -10000.",
                  "Use log_softmax instead of log(softmax(x)), and multiply 0 by no infinity.");
  }
  if (!value.requires_grad()) return passed();
  note_activity("the backward pass through '" + info->id + "'");
  for (const at::Tensor& gradient : gradients_of(value, side_of(caller->inputs, "student"))) {
    if (!gradient.defined() || all_finite(gradient)) continue;
    return failed("has a gradient that is not finite for logits of 10000 and -10000.",
                  "Clamp below before a root or a logarithm, not after it.");
  }
  return passed();
}

// NaN may not be hidden: the host stops a run that has become meaningless.
Finding test_not_finite(Subject& subject, const ComponentInfo* info) {
  for (const double number : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const std::unique_ptr<Caller> caller = make_caller(subject, *info);
    if (side_of(caller->inputs, "student").empty()) return passed("has no port of the student.");
    caller->inputs = changed(caller->inputs, [&](const PortTensors& port, const at::Tensor& t) {
      if (!t.is_floating_point() || port.port.rfind("student.", 0) != 0) return t;
      at::Tensor made = t.detach().clone();
      made.flatten()[0].fill_(number);
      return made.requires_grad_(t.requires_grad());
    });
    at::Tensor value;
    try {
      value = caller->call().front().value;
    } catch (const Error&) {
      continue;  // said in words
    }
    if (std::isnan(number) && all_finite(value)) {
      return warned(
          "is " + shortest(value.detach().to(at::kDouble).item<double>()) + " though an input of the student is NaN.",
          "Let NaN pass through (no nan_to_num, no comparison that drops it): the host stops such a run.");
    }
  }
  return passed();
}

Finding test_empty_batch(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  caller->inputs = changed(caller->inputs, [](const PortTensors&, const at::Tensor& t) {
    const bool learns = t.requires_grad();
    return t.detach().narrow(0, 0, 0).contiguous().requires_grad_(learns);
  });
  try {
    const at::Tensor value = caller->call().front().value;
    return passed(all_finite(value) ? "is a number for an empty batch." : "is not finite for an empty batch.");
  } catch (const Error& error) {
    const std::string text = error.what();
    if (text.find("and no text.") == std::string::npos) return passed("refuses an empty batch.");
    return failed("fails without a word for an empty batch.", "Set a text with set_error before returning a status.");
  }
}

Finding test_far_model(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const at::NoGradGuard no_grad;
  for (const double scale : {0.0, 100.0}) {
    const Tensors usual = caller->inputs;
    caller->inputs = with_numbers(usual, [&](at::Tensor& t) { t.mul_(scale); });
    for (const NamedTensor& result : caller->call()) {
      if (all_finite(result.value)) continue;
      return failed(
          "gives an output '" + result.name + "' that is not finite for inputs times " + shortest(scale) + ".",
          "Keep divisors and roots away from 0.");
    }
    caller->inputs = usual;
  }
  return passed();
}

}  // namespace

void add_number_tests(std::vector<Test>& tests) {
  const auto add = [&](const char* name, kdh_kind kind, Finding (*run)(Subject&, const ComponentInfo*)) {
    tests.push_back({.level = 6, .name = name, .kinds = {kind}, .needs = {"call.works"}, .run = run});
  };
  add("numbers.gradient", KDH_KIND_LOSS, test_gradient);
  add("numbers.extreme", KDH_KIND_LOSS, test_extreme);
  add("numbers.not_finite", KDH_KIND_LOSS, test_not_finite);
  add("numbers.empty_batch", KDH_KIND_LOSS, test_empty_batch);
  add("numbers.far", KDH_KIND_MODEL, test_far_model);
}

}  // namespace kdhost::check
