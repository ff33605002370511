// SPDX-License-Identifier: MIT
#include "train/optimizer.hpp"

#include <ATen/core/grad_mode.h>

#include "base/text.hpp"
#include "tensor/aten.hpp"

#include <array>
#include <optional>

namespace kdhost {

OptimizerValues::OptimizerValues(const OptimizerSettings& s)
    : lr(s.lr),
      momentum(s.momentum),
      beta1(s.beta1),
      beta2(s.beta2),
      eps(s.eps),
      weight_decay(s.weight_decay),
      clip_norm(s.clip_norm) {}

double* OptimizerValues::find(std::string_view key) {
  const std::array<std::pair<std::string_view, double*>, 7> keys{{{"lr", &lr},
                                                                  {"momentum", &momentum},
                                                                  {"beta1", &beta1},
                                                                  {"beta2", &beta2},
                                                                  {"eps", &eps},
                                                                  {"weight_decay", &weight_decay},
                                                                  {"clip_norm", &clip_norm}}};
  for (const auto& [name, value] : keys)
    if (name == key) return value;
  return nullptr;
}

Optimizer::Optimizer(const OptimizerSettings& settings, std::vector<TrainedParameter> parameters)
    : kind_(settings.use.value),
      nesterov_(settings.nesterov.value),
      decay_norm_bias_(settings.decay_norm_bias.value),
      parameters_(std::move(parameters)),
      states_(parameters_.size()) {}

void Optimizer::drop_gradients() {
  for (auto& p : parameters_) p.tensor.mutable_grad() = at::Tensor();
}

void clip_gradients(const std::vector<at::Tensor>& gradients, double limit) {
  if (gradients.empty()) return;
  std::vector<at::Tensor> norms = at::_foreach_norm(gradients, 2);
  const at::Tensor total = at::linalg_vector_norm(at::stack(norms), 2);
  at::_foreach_mul_(gradients, at::clamp_max(limit / (total + 1e-6), 1.0));
}

namespace {
// The fused CPU kernels read memory in order and ignore strides: a gradient laid out otherwise than its parameter would
// be applied to the wrong elements without a message.
at::Tensor laid_out_like(const at::Tensor& gradient, const at::Tensor& parameter) {
  if (gradient.strides() == parameter.strides() && gradient.scalar_type() == parameter.scalar_type()) return gradient;
  return at::empty_like(parameter).copy_(gradient);
}
}  // namespace

struct Optimizer::Lists {
  std::vector<at::Tensor> parameters, gradients, first, second, steps;
};

void Optimizer::run(Lists& l, const OptimizerValues& v, double weight_decay, bool first_step, const at::Tensor& found) {
  if (l.parameters.empty()) return;
  const std::optional<at::Tensor> inf = found.defined() ? std::optional<at::Tensor>(found) : std::nullopt;
  switch (kind_) {
    case OptimizerKind::sgd:
      at::_fused_sgd_(l.parameters, l.gradients, l.first, weight_decay, v.momentum, v.lr, /*dampening=*/0.0, nesterov_,
                      /*maximize=*/false, first_step, {}, inf);
      break;
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      at::_foreach_add_(l.steps, 1);
      if (kind_ == OptimizerKind::adam)
        at::_fused_adam_(l.parameters, l.gradients, l.first, l.second, {}, l.steps, v.lr, v.beta1, v.beta2,
                         weight_decay, v.eps, false, false, {}, inf);
      else
        at::_fused_adamw_(l.parameters, l.gradients, l.first, l.second, {}, l.steps, v.lr, v.beta1, v.beta2,
                          weight_decay, v.eps, false, false, {}, inf);
      if (inf) at::_foreach_sub_(l.steps, *inf);  // a step that was not taken does not count
      break;
  }
}

void Optimizer::step(const OptimizerValues& values, const at::Tensor& found_nonfinite) {
  const at::NoGradGuard no_grad;
  const bool sgd = kind_ == OptimizerKind::sgd;
  const bool momentum = sgd && values.momentum != 0.0;
  // [decayed][started]: SGD's kernel is told for a whole list whether its momentum buffers already hold something.
  Lists lists[2][2];
  std::vector<at::Tensor> gradients;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& p = parameters_[i].tensor;
    const at::Tensor& g = p.grad();
    if (!g.defined()) continue;
    State& s = states_[i];
    const bool decays = decay_norm_bias_ || !parameters_[i].no_decay;
    const bool started = s.first.defined();
    if (!started && (momentum || !sgd)) {
      s.first = at::zeros_like(p);
      if (!sgd) {
        s.second = at::zeros_like(p);
        s.steps = at::zeros({}, p.options().dtype(at::kFloat));
      }
    }
    Lists& l = lists[decays ? 1 : 0][started || !momentum ? 1 : 0];
    l.parameters.push_back(p);
    l.gradients.push_back(laid_out_like(g, p));
    gradients.push_back(l.gradients.back());
    if (s.first.defined() && (momentum || !sgd)) l.first.push_back(s.first);
    if (!sgd) {
      l.second.push_back(s.second);
      l.steps.push_back(s.steps);
    }
  }
  if (values.clip_norm > 0.0) clip_gradients(gradients, values.clip_norm);
  for (int decays = 0; decays < 2; ++decays)
    for (int started = 0; started < 2; ++started)
      run(lists[decays][started], values, decays ? values.weight_decay : 0.0, !started, found_nonfinite);
}

std::vector<NamedTensor> Optimizer::state() const {
  std::vector<NamedTensor> list;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string prefix = "optimizer/" + parameters_[i].name + "/";
    const State& s = states_[i];
    if (s.first.defined()) list.push_back({prefix + (kind_ == OptimizerKind::sgd ? "momentum" : "exp_avg"), s.first});
    if (s.second.defined()) list.push_back({prefix + "exp_avg_sq", s.second});
    if (s.steps.defined()) list.push_back({prefix + "step", s.steps});
  }
  return list;
}

void Optimizer::take_state(const Optimizer& before) {
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    for (std::size_t k = 0; k < before.parameters_.size(); ++k)
      if (parameters_[i].name == before.parameters_[k].name) states_[i] = before.states_[k];
}

void Optimizer::load(const SafetensorsFile& file) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string prefix = "optimizer/" + parameters_[i].name + "/";
    const at::Tensor& p = parameters_[i].tensor;
    const auto take = [&](const std::string& name, at::Tensor& into, bool scalar) {
      if (!file.find(name)) return;
      const at::Tensor stored = file.tensor(name);
      const at::IntArrayRef wanted = scalar ? at::IntArrayRef() : p.sizes();
      if (stored.sizes() != wanted)
        throw Error(Exit::data,
                    Message{{},
                            file.path().string(),
                            "'" + name + "' has shape " + shape_text(stored.sizes()) + ".",
                            "Expected " + shape_text(wanted) + ".",
                            "This checkpoint is of another experiment: start a new run, without --resume."});
      into = scalar ? at::empty({}, p.options().dtype(at::kFloat)) : at::empty_like(p);
      into.copy_(stored);
    };
    State& s = states_[i];
    take(prefix + (kind_ == OptimizerKind::sgd ? "momentum" : "exp_avg"), s.first, false);
    take(prefix + "exp_avg_sq", s.second, false);
    take(prefix + "step", s.steps, true);
  }
}

}  // namespace kdhost
