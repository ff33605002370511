// SPDX-License-Identifier: MIT
#include "train/distill_step.hpp"

#include <ATen/core/grad_mode.h>

#include <cmath>

#include "base/stream.hpp"
#include "base/text.hpp"
#include "data/views.hpp"
#include "tensor/aten.hpp"
#include "tensor/backward.hpp"

namespace kdhost {

DistillStep::DistillStep(Assembly& assembly, Feed& feed, Learner& learner, int64_t seed)
    : assembly_(assembly), feed_(feed), learner_(learner), seed_(seed), outputs_(1 + assembly.teachers().size()) {}

StepReport DistillStep::run(StagePlan& stage, const kdh_moment& moment, int64_t random_step, int64_t pass,
                            int64_t first, int64_t count, bool names) {
  StepReport report;
  report.values.resize(stage.terms.size());
  if (names) report.named.resize(stage.terms.size());
  int64_t samples = 0;
  if (count > 1)
    for (int64_t i = 0; i < count; ++i) samples += feed_.at(pass, first + i).batch.size();

  for (int64_t i = 0; i < count; ++i) {
    const FedBatch& fed = feed_.at(pass, first + i);  // 1-5: batch and frozen teachers
    CallSettings settings;
    settings.flags = KDH_CALL_TRAINING;
    settings.moment = &moment;
    settings.random_key = derived_seed(static_cast<uint64_t>(seed_), "step", static_cast<uint64_t>(random_step),
                                       static_cast<uint64_t>(i));
    settings.device = assembly_.device();

    forward_models(stage, fed, settings);  // 6: student, and teachers that move

    const double share = count > 1 ? static_cast<double>(fed.batch.size()) / static_cast<double>(samples) : 1.0;
    std::vector<at::Tensor> roots, weights;
    for (std::size_t k = 0; k < stage.terms.size(); ++k) {  // 7: losses in file order
      Term& term = stage.terms[k];
      if (term.weight == 0.0) continue;
      term.loss->want_terms(names);
      const at::Tensor value = compute(term, fed, settings);
      if (!value.defined()) continue;
      report.values[k] = value.detach();
      if (names) {
        report.named[k].clear();
        for (const auto& part : term.loss->terms()) report.named[k].emplace_back(part.name, part.value.detach());
      }
      if (!value.requires_grad()) continue;
      roots.push_back(value);
      weights.push_back(at::full({}, term.weight * share, value.options()));
    }
    if (!roots.empty()) backward(roots, weights);  // 8: one backward
    learner_.student.apply_writes();
    for (auto& p : learner_.terms) p.apply_writes();
    for (auto& p : learner_.teachers) p.apply_writes();
    for (auto& o : outputs_) o.clear();
  }

  std::vector<at::Tensor> gradients;
  gradients.reserve(learner_.optimizer->parameters().size());
  for (const auto& p : learner_.optimizer->parameters())
    if (p.tensor.grad().defined()) gradients.push_back(p.tensor.grad());
  if (assembly_.device().is_cpu()) {
    if (!all_finite(gradients)) {
      std::string name;
      for (const auto& p : learner_.optimizer->parameters())
        if (name.empty() && p.tensor.grad().defined() && !all_finite({p.tensor.grad()})) name = p.name;
      throw Error(Exit::diverged,
                  Message{stage.terms.empty() ? Place() : stage.terms.front().place, "gradient of '" + name + "'",
                          "it holds numbers that are not finite, while every loss is finite.",
                          "Expected finite numbers.", "Lower the learning rate. This step has changed no weight."});
    }
  } else {
    std::vector<at::Tensor> seen = gradients;
    for (const auto& v : report.values)
      if (v.defined()) seen.push_back(v.clone().to(at::kFloat));
    report.nonfinite = nonfinite_flag(seen);
  }

  learner_.optimizer->step(stage.optimizer_values, report.nonfinite);  // 9-10: clip, update
  learner_.optimizer->drop_gradients();
  learner_.student.forget_derived();
  follow_student();
  return report;  // 11: nothing was read from the device
}

void DistillStep::backward(const std::vector<at::Tensor>& roots, const std::vector<at::Tensor>& weights) {
  try {
    add_gradients(roots, weights);
  } catch (const c10::Error& e) {
    throw Error(Exit::plugin,
                Message{{},
                        "backward",
                        e.what_without_backtrace(),
                        "Expected that every loss and model has a gradient that can be computed.",
                        "The name before the text is that of the hand-written gradient or operator: mend its plugin."});
  }
}

void DistillStep::forward_models(StagePlan& stage, const FedBatch& fed, const CallSettings& settings) {
  const Precision precision = assembly_.experiment().train.precision.value;
  for (std::size_t m = 0; m < outputs_.size(); ++m) {
    if (m > 0 && assembly_.teachers()[m - 1].kind == TeacherKind::frozen) continue;
    const Wants& wants = stage.wants[m];
    if (wants.names().empty()) continue;
    ModelInstance& model = assembly_.model(m);
    const bool average = m > 0 && assembly_.teachers()[m - 1].kind == TeacherKind::average;
    Parts& parts = m == 0 ? learner_.student : learner_.teachers[m - 1];
    outputs_[m].clear();
    forward_views(model.inputs(), fed.batch, wants, outputs_[m],
                  [&](const Batch& batch, const Wants& wanted, Outputs& out) {
                    assembly_.bind_fields(model, batch);
                    if (average) {
                      const at::NoGradGuard no_grad;
                      CallSettings evaluation = settings;
                      evaluation.flags = 0;
                      model.forward(parts, evaluation, wanted, out);
                    } else {
                      const AutocastGuard autocast(precision, assembly_.device());
                      model.forward(parts, settings, wanted, out);
                    }
                  });
    if (precision == Precision::bf16) {  // losses are computed in float32
      Outputs cast;
      for (const auto& e : outputs_[m])
        cast.add(e.name, e.value.is_floating_point() ? e.value.to(at::kFloat) : e.value);
      outputs_[m] = std::move(cast);
    }
  }
}

const at::Tensor& DistillStep::tensor_of(const Source& source, const FedBatch& fed) {
  if (source.kind == Source::Kind::field) return *fed.batch.find(source.name);
  const bool frozen = source.model > 0 && assembly_.teachers()[source.model - 1].kind == TeacherKind::frozen;
  if (source.kind == Source::Kind::tap)
    return *(frozen ? fed.teachers[source.model - 1] : outputs_[source.model]).find(source.name);
  const Parts& parts = source.model == 0 ? learner_.student
                       : frozen          ? assembly_.teachers()[source.model - 1].parts
                                         : learner_.teachers[source.model - 1];
  return parts[*parts.find(source.name)];
}

at::Tensor DistillStep::compute(Term& term, const FedBatch& fed, const CallSettings& settings) {
  held_.clear();
  // Unlabelled samples reach only terms that need no label: the others see the labelled rows of all their ports.
  const bool some = term.needs_labels && fed.batch.labelled_rows.defined();
  if (some && fed.batch.labelled_rows.numel() == 0) return {};
  for (const PortBinding& port : term.ports)
    for (std::size_t i = 0; i < port.sources.size(); ++i) {
      const Source& source = port.sources[i];
      const at::Tensor* t = &tensor_of(source, fed);
      if (port.detach && t->requires_grad()) t = &held_.emplace_back(t->detach());
      if (some && source.kind != Source::Kind::part && t->dim() > 0 && t->size(0) == fed.batch.size())
        t = &held_.emplace_back(t->index_select(0, fed.batch.labelled_rows));
      if (port.is_list)
        term.loss->inputs().set(port.slot, i, *t);
      else
        term.loss->inputs().set(port.slot, *t);
    }
  at::Tensor value = term.loss->compute(learner_.terms[term.parts], settings);
  check_value(term, value);  // while what it has seen is there to be looked at
  return value;
}

namespace {
/// Without LibTorch's way to a number, which costs more than the check.
double number_of(const at::Tensor& scalar) {
  if (scalar.scalar_type() == at::kFloat) return *scalar.const_data_ptr<float>();
  if (scalar.scalar_type() == at::kDouble) return *scalar.const_data_ptr<double>();
  return scalar.item<double>();
}

/// The first port with a tensor that is so.
template <class F>
std::string port_where(const Inputs& inputs, const F& is_so) {
  for (const kdh_arg& port : inputs.values()) {
    const bool list = port.value.type == KDH_T_TENSOR_LIST;
    for (uint64_t i = 0; i < (list ? port.value.count : 1); ++i)
      if (is_so(tensor(list ? port.value.u.tensors[i] : port.value.u.tensor))) return std::string(view(port.name));
  }
  return {};
}
}  // namespace

void DistillStep::check_value(const Term& term, const at::Tensor& value) const {
  const Inputs& inputs = term.loss->inputs();
  if (!value.requires_grad()) {
    const std::string learns = port_where(inputs, [](const at::Tensor& t) { return t.requires_grad(); });
    if (!learns.empty())
      throw term.loss->broken("compute",
                              "returned a value without a gradient, though its input '" + learns + "' has one",
                              "a value that operators compute from its inputs; 0 times an input where it is nothing");
  }
  if (!assembly_.device().is_cpu() || std::isfinite(number_of(value))) return;
  const std::string bad =
      port_where(inputs, [](const at::Tensor& t) { return t.is_floating_point() && !all_finite({t}); });
  const std::string what = term.loss->words() + ", in compute: its value is " + shortest(number_of(value));
  if (bad.empty())
    throw Error(Exit::diverged,
                Message{term.place, "", what + ", though all its inputs are finite.", "Expected a finite number.",
                        "Mend the plugin, or lower the learning rate if its inputs are extreme. This "
                        "step has changed no weight."});
  throw Error(Exit::diverged, Message{term.place, "", what + ", and its input '" + bad + "' is not finite.",
                                      "Expected a finite number.",
                                      "Lower the learning rate or the loss weight. This step has changed no weight."});
}

void DistillStep::follow_student() {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < learner_.teachers.size(); ++i) {
    const TeacherModel& t = assembly_.teachers()[i];
    if (t.kind != TeacherKind::average || learner_.teachers[i].size() == 0) continue;  // the baseline has no teacher
    std::vector<at::Tensor> averages, students;
    for (std::size_t slot = 0; slot < learner_.student.size(); ++slot) {
      const at::Tensor& s = learner_.student[slot];
      const at::Tensor& a = learner_.teachers[i][slot];
      if (learner_.student.spec(slot).role == PartRole::buffer)
        a.copy_(s);
      else {
        averages.push_back(a);
        students.push_back(s.detach());
      }
    }
    at::_foreach_lerp_(averages, students, 1.0 - t.decay);
    learner_.teachers[i].forget_derived();
  }
}

}  // namespace kdhost
