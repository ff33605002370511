// SPDX-License-Identifier: MIT
// For the tests of shipped losses: one evaluation of a loss through the plugin boundary, with the gradients of the
// student's inputs, and the inputs of the golden values.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "../shipped_component.hpp"
#include "tensor/loss.hpp"

namespace kdhost::test {

/// Tensors by port; elements of list ports as "student.features.0".
using Bound = std::vector<std::pair<std::string, at::Tensor>>;

struct Evaluated {
  at::Tensor value;
  std::map<std::string, at::Tensor> gradient;  ///< of each student.* input
  double number() const { return value.item<double>(); }
  /// Over all student inputs together.
  double gradient_norm() const {
    double sum = 0;
    for (const auto& [port, g] : gradient) sum += g.to(at::kDouble).square().sum().item<double>();
    return std::sqrt(sum);
  }
};

/// The shipped library that holds a loss.
inline std::string library_of(const std::string& id) {
  for (const auto& entry : std::filesystem::directory_iterator(kPluginDir)) {
    const std::string library = entry.path().stem().string();
    if (library.rfind("kdhost_losses_", 0) == 0 && find_shipped(library, id) != nullptr) return library;
  }
  throw std::runtime_error("no shipped library has a loss " + id);
}

/// A loss bound to tensors; the student's become leaves that require a gradient.
class LossCase {
 public:
  /// `facts`: what a run knows, such as "samples".
  LossCase(const std::string& id, const Settings& settings, const Bound& bound, uint32_t flags = KDH_CALL_TRAINING,
           Arguments facts = {})
      : flags_(flags) {
    const std::string library = library_of(id);
    const kdh_component& component = shipped(library, id);
    Creation creation;
    creation.params = arguments(component, settings);
    creation.facts = std::move(facts);
    for (const auto& [port, value] : bound) {
      const bool learns = port.rfind("student.", 0) == 0 && at::isFloatingType(value.scalar_type());
      inputs_.emplace_back(port, learns ? value.detach().clone(at::MemoryFormat::Preserve).requires_grad_() : value);
      creation.shapes.push_back({port, inputs_.back().second.sizes().vec(), value.scalar_type()});
    }
    loss_ = std::make_unique<LossInstance>(origin(component, library, "loss.test"), std::move(creation));
    parts_ = Parts(loss_->part_list(), "loss.test", 1, inputs_.front().second.scalar_type());
    parts_.require_grad(true);
    bind();
  }

  Evaluated evaluate(bool backward = true, uint64_t random_key = 0) {
    CallSettings settings;
    settings.flags = flags_;
    settings.random_key = random_key;
    Evaluated e{loss_->compute(parts_, settings), {}};
    if (!backward) return e;
    for (auto& [port, value] : inputs_)
      if (value.grad().defined()) value.mutable_grad().reset();
    if (e.value.requires_grad()) e.value.backward();
    for (auto& [port, value] : inputs_)
      if (value.requires_grad())
        e.gradient[port] = value.grad().defined() ? value.grad().clone() : at::zeros_like(value);
    return e;
  }
  Parts& parts() { return parts_; }
  /// What the last evaluation reported beside the value.
  const Outputs& terms() const { return loss_->terms(); }
  at::Tensor& input(std::size_t i) { return inputs_.at(i).second; }
  std::size_t inputs() const { return inputs_.size(); }

 private:
  // "student.features.1" is element 1 of the list port "student.features".
  void bind() {
    std::map<std::string, std::size_t> lists;
    for (const auto& [port, value] : inputs_) {
      const auto dot = port.rfind('.');
      if (port.find_first_not_of("0123456789", dot + 1) == std::string::npos) ++lists[port.substr(0, dot)];
    }
    std::map<std::string, std::size_t> slots;
    for (const auto& [list, count] : lists) slots[list] = loss_->inputs().add_list(list, count);
    for (auto& [port, value] : inputs_) {
      const auto dot = port.rfind('.');
      const auto slot = slots.find(port.substr(0, dot));
      if (slot != slots.end() && port.find_first_not_of("0123456789", dot + 1) == std::string::npos)
        loss_->inputs().set(slot->second, std::stoul(port.substr(dot + 1)), value);
      else
        loss_->inputs().set(loss_->inputs().add(port), value);
    }
  }

  uint32_t flags_;
  std::unique_ptr<LossInstance> loss_;
  Parts parts_;
  Bound inputs_;
};

inline Evaluated evaluate(const std::string& id, const Settings& settings, const Bound& bound) {
  return LossCase(id, settings, bound).evaluate();
}

/// The text of the refusal, without the host's words in front of it; empty when nothing is refused.
inline std::string refusal(const std::string& id, const Settings& settings, const Bound& bound) {
  try {
    LossCase(id, settings, bound).evaluate(false);
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

/// The largest difference between the gradient and central differences of the value (step 1e-6), relative to the
/// largest gradient.
inline double gradient_error(const std::string& id, const Settings& settings, const Bound& bound) {
  LossCase loss(id, settings, bound);
  const Evaluated at_point = loss.evaluate();
  double worst = 0, scale = 1e-30;
  for (std::size_t i = 0; i < loss.inputs(); ++i) {
    at::Tensor& x = loss.input(i);
    if (!x.requires_grad()) continue;
    const at::Tensor g = at_point.gradient.at(bound[i].first).contiguous();
    scale = std::max(scale, g.abs().max().item<double>());
    auto* p = x.data_ptr<double>();
    for (int64_t k = 0; k < x.numel(); ++k) {
      const double before = p[k];
      p[k] = before + 1e-6;
      const double above = loss.evaluate(false).number();
      p[k] = before - 1e-6;
      const double below = loss.evaluate(false).number();
      p[k] = before;
      worst = std::max(worst, std::abs((above - below) / 2e-6 - g.data_ptr<double>()[k]));
    }
  }
  return worst / scale;
}

// ---- the inputs of the golden values

inline at::Tensor z_s() { return generated({4, 10}, 1) * 3; }
inline at::Tensor z_t() { return generated({4, 10}, 2) * 5; }
inline at::Tensor y() { return at::tensor({0, 3, 7, 9}, at::kLong); }
inline Bound logits(at::ScalarType type = at::kDouble) {
  return {{"student.logits", z_s().to(type)}, {"teacher.logits", z_t().to(type)}};
}
inline Bound labelled(at::ScalarType type = at::kDouble) {
  Bound b = logits(type);
  b.emplace_back("batch.label", y());
  return b;
}
/// Logits of both sides, with hard labels where given.
inline Bound pair(const at::Tensor& s, const at::Tensor& t) { return {{"student.logits", s}, {"teacher.logits", t}}; }
inline Bound pair(const at::Tensor& s, const at::Tensor& t, const at::Tensor& label) {
  return {{"student.logits", s}, {"teacher.logits", t}, {"batch.label", label}};
}
/// The same numbers where rows are not contiguous, so that row kernels give way to composed operators.
inline at::Tensor strided(const at::Tensor& x) { return x.t().contiguous().t(); }
/// One tap a side.
inline Bound tap(const at::Tensor& student, const at::Tensor& teacher) {
  return {{"student.features.0", student}, {"teacher.features.0", teacher}};
}
inline at::Tensor f_s() { return generated({4, 8, 6, 6}, 3).relu(); }
inline at::Tensor f_t() { return generated({4, 8, 6, 6}, 4).relu(); }
inline at::Tensor g_s() { return generated({4, 8, 3, 3}, 7).relu(); }
inline at::Tensor g_t() { return generated({4, 8, 3, 3}, 8).relu(); }
inline at::Tensor e_s() { return generated({4, 16}, 5); }
inline at::Tensor e_t() { return generated({4, 16}, 6); }
inline Bound two_taps() {
  return {{"student.features.0", f_s()},
          {"student.features.1", g_s()},
          {"teacher.features.0", f_t()},
          {"teacher.features.1", g_t()}};
}

using S = std::string;  // a setting must not decay to bool

/// The value and every gradient.
inline bool finite(const Evaluated& e) {
  bool all = std::isfinite(e.number());
  for (const auto& [port, g] : e.gradient) all = all && g.isfinite().all().item<bool>();
  return all;
}

}  // namespace kdhost::test
