// SPDX-License-Identifier: MIT
// Level 5 of the validator, losses: the value is a number, and its gradient goes where it should.
#include <ATen/core/grad_mode.h>

#include <array>
#include <cmath>

#include "base/text.hpp"
#include "check/caller.hpp"
#include "check/child.hpp"
#include "check/suite.hpp"
#include "tensor/aten.hpp"
#include "tensor/backward.hpp"

namespace kdhost::check {
namespace {

at::Tensor value_of(Caller& caller) { return caller.call().front().value; }

std::string value_text(const at::Tensor& value) { return shortest(value.detach().to(at::kDouble).item<double>()); }

void note_backward(const ComponentInfo& info) { note_activity("the backward pass through '" + info.id + "'"); }

Finding test_finite_value(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const at::Tensor value = value_of(*caller);
  if (all_finite(value)) return passed();
  return failed("is " + value_text(value) + " for ordinary inputs.",
                "Work in log space (log_softmax), and keep divisors and roots away from 0.");
}

Finding test_float64(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> single = make_caller(subject, *info);
  const std::unique_ptr<Caller> twice = make_caller(subject, *info, {.dtype = at::kDouble});
  // The same initial values, which are drawn differently in float64.
  twice->parts.copy_from(single->parts);
  const at::Tensor in_float = value_of(*single);
  const at::Tensor in_double = value_of(*twice);
  if (in_double.scalar_type() != at::kDouble) {
    return failed("returns " + dtype_name(in_double.scalar_type()) + " for float64 inputs.",
                  "Give tensors that you make the dtype of an input.");
  }
  if (difference(in_double, in_float) < 1e-3) return passed();
  return failed("is " + value_text(in_float) + " in float32 and " + value_text(in_double) + " in float64.",
                "Work in log space, and subtract the largest value before exp.");
}

Finding test_batches(Subject& subject, const ComponentInfo* info) {
  std::vector<std::string> refused;
  for (const std::int64_t batch : {1, 3, 17}) {
    Fit fit = callable(subject, *info);
    fit.layout.batch = batch;
    const std::unique_ptr<Caller> caller = make_caller(subject, *info, fit);
    at::Tensor value;
    try {
      value = value_of(*caller);
    } catch (const Error& error) {
      // A relation between samples needs two; saying so is right.
      if (batch > 1) {
        return warned("cannot work with a batch of " + std::to_string(batch) + " samples: " + said(error),
                      "Take the number of samples from the inputs; the last batch of an epoch is often smaller.");
      }
      refused.push_back(std::to_string(batch));
      continue;
    }
    if (!all_finite(value)) {
      return failed("is " + value_text(value) + " for a batch of " + std::to_string(batch) + ".",
                    "Guard divisors that become 0, as a number of pairs or a spread over one sample.");
    }
  }
  return passed(refused.empty() ? std::string() : "refuses a batch of one sample.");
}

// The same values at other strides.
at::Tensor strided(const at::Tensor& tensor) {
  at::Tensor made = tensor.detach();
  if (made.dim() >= 2) {
    made = made.transpose(0, 1).contiguous().transpose(0, 1);
  } else if (made.dim() == 1) {
    made = at::stack({made, made}, 1).select(1, 0);
  }
  return made.requires_grad_(tensor.requires_grad());
}

Finding test_strided(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const at::Tensor straight = value_of(*caller).detach().clone();
  caller->parts.discard_writes();
  caller->inputs = changed(caller->inputs, [](const PortTensors&, const at::Tensor& t) { return strided(t); });
  const at::Tensor value = value_of(*caller);
  if (difference(straight, value) < 1e-4) return passed();
  return failed("is " + value_text(value) + " for inputs that are not contiguous, and " + value_text(straight) +
                    " for the same values that are.",
                "Read raw memory by its strides, or call contiguous() first.");
}

Finding test_optional(Subject& subject, const ComponentInfo* info) {
  for (const PortInfo& port : info->inputs) {
    if (!port.optional) continue;
    const std::unique_ptr<Caller> caller =
        make_caller(subject, *info, callable(subject, *info), {.leave_out = {port.name}});
    try {
      if (all_finite(value_of(*caller))) continue;
    } catch (const Error& error) {
      return failed("cannot work without its optional port '" + port.name + "': " + said(error),
                    "Ask c.has(\"" + port.name + "\") before it is used, or declare the port required.");
    }
    return failed("is not finite without its optional port '" + port.name + "'.",
                  "Leave out what needs the port when it is absent.");
  }
  return passed();
}

Finding test_reaches_student(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const std::vector<at::Tensor> student = side_of(caller->inputs, "student");
  if (student.empty()) return skipped("it has no port of the student.");
  const at::Tensor value = value_of(*caller);
  const std::string mend =
      "Do not detach the student's side, and compute with the operators of the SDK or custom_grad.";
  if (!value.requires_grad()) return failed("has no gradient for the student: the value has no history.", mend);
  note_backward(*info);
  bool any = false;
  for (const at::Tensor& gradient : gradients_of(value, student)) {
    if (!gradient.defined()) continue;
    if (!all_finite(gradient)) {
      return failed("has a gradient for the student that is not finite.",
                    "Keep roots, logarithms and divisors away from 0, by clamp_min for example.");
    }
    any = any || gradient.abs().max().item<double>() > 0.0;
  }
  return any ? passed() : failed("has a gradient for the student that is zero everywhere.", mend);
}

Finding test_spares_teacher(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const std::vector<at::Tensor> teacher = side_of(caller->inputs, "teacher");
  if (teacher.empty()) return passed("has no port of the teacher.");
  for (const at::Tensor& tensor : teacher) tensor.requires_grad_(true);
  const at::Tensor value = value_of(*caller);
  if (!value.requires_grad()) return passed();
  note_backward(*info);
  for (const at::Tensor& gradient : gradients_of(value, teacher)) {
    if (!gradient.defined() || gradient.abs().max().item<double>() == 0.0) continue;
    return warned("has a gradient for the teacher when the teacher's outputs have a history.",
                  "Call detach() on the teacher's side, or a teacher that learns too (train = true) is pulled to the "
                  "student.");
  }
  return passed();
}

Finding test_wrong_shape(Subject& subject, const ComponentInfo* info) {
  if (info->inputs.size() < 2) return passed("has one port, whose samples need not agree with others.");
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  PortTensors& last = caller->inputs.back();
  for (at::Tensor& tensor : last.tensors) {
    const bool learns = tensor.requires_grad();
    tensor = at::concat({tensor.detach(), tensor.detach().narrow(0, 0, 1)}, 0).requires_grad_(learns);
  }
  try {
    value_of(*caller);
  } catch (const Error& error) {
    const std::string text = error.what();
    if (text.find("and no text.") == std::string::npos) return passed();
    return failed("fails without a word when port '" + last.port + "' has more samples than the others.",
                  "Set a text with set_error before returning a status.");
  }
  return failed("gives a value though port '" + last.port + "' has one sample more than the others.",
                "Compare the sizes of its inputs, and say in an error what was found and what was expected.");
}

Finding test_without_gradient(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const at::Tensor with = value_of(*caller).detach().clone();
  caller->parts.discard_writes();
  const at::NoGradGuard no_grad;
  const at::Tensor without = value_of(*caller);
  if (difference(with, without) < 1e-5) return passed();
  return failed("is " + value_text(without) + " without gradient mode and " + value_text(with) + " with it.",
                "Do not let the value depend on whether a gradient is recorded: validation computes without.");
}

Finding test_outlives(Subject& subject, const ComponentInfo* info) {
  std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const at::Tensor value = value_of(*caller);
  std::vector<at::Tensor> wanted = side_of(caller->inputs, "student");
  for (const std::size_t slot : caller->parts.trainable()) wanted.push_back(caller->parts[slot]);
  if (!value.requires_grad() || wanted.empty()) return passed();
  caller.reset();
  note_activity("the backward pass through '" + info->id + "' after its instance was destroyed");
  gradients_of(value, wanted);
  return passed();
}

Finding test_parts_learn(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  std::vector<at::Tensor> parts;
  const std::vector<std::size_t> slots = caller->parts.trainable();
  for (const std::size_t slot : slots) parts.push_back(caller->parts[slot]);
  if (parts.empty()) return passed();
  const at::Tensor value = value_of(*caller);
  note_backward(*info);
  const std::vector<at::Tensor> gradients =
      value.requires_grad() ? gradients_of(value, parts) : std::vector<at::Tensor>(parts.size());
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (gradients[i].defined()) continue;
    return warned("has a parameter that does not learn with the usual parameters: no path leads from the value to '" +
                      caller->parts.spec(slots[i]).name + "'.",
                  "Use it in compute, declare it as a buffer or frozen, or say in details in which stage it learns.");
  }
  return passed();
}

}  // namespace

void add_loss_tests(std::vector<Test>& tests) {
  const auto add = [&](const char* name, Finding (*run)(Subject&, const ComponentInfo*)) {
    tests.push_back({.level = 5, .name = name, .kinds = {KDH_KIND_LOSS}, .needs = {"call.works"}, .run = run});
  };
  add("loss.finite", test_finite_value);
  add("loss.float64", test_float64);
  add("loss.batches", test_batches);
  add("loss.strided", test_strided);
  add("loss.optional", test_optional);
  add("loss.reaches_student", test_reaches_student);
  add("loss.spares_teacher", test_spares_teacher);
  add("loss.wrong_shape", test_wrong_shape);
  add("loss.without_gradient", test_without_gradient);
  add("loss.outlives", test_outlives);
  add("loss.parts_learn", test_parts_learn);
}

}  // namespace kdhost::check
