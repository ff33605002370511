// SPDX-License-Identifier: MIT
// What every golden value must pass: the published number and gradient norm in float64, the same numbers in float32,
// half precision computed in float32, central differences, and no gradient to the teacher. One file a family lists the
// cases.
#pragma once

#include <tuple>
#include <vector>

#include "differences.hpp"
#include "loss_case.hpp"

namespace kdhost::test {

/// Computed in float64 with the named project's own function on the generated inputs of loss_case.hpp, without term
/// weight and without adaptor.
struct Golden {
  const char* id;
  Settings settings;
  Bound bound;
  double value;
  double gradient_norm;  ///< 0: not recorded
  const char* code;
  double tolerance = 1e-10;  ///< of the value, relative
};

inline Bound converted(const Bound& bound, at::ScalarType type) {
  Bound made;
  for (const auto& [port, value] : bound) made.emplace_back(port, value.is_floating_point() ? value.to(type) : value);
  return made;
}

inline std::string name_of(const Golden& g) { return std::string(g.id) + " as in " + g.code; }

inline Differences wrong_values(const std::vector<Golden>& golden) {
  Differences wrong;
  for (const Golden& g : golden) {
    const double found = evaluate(g.id, g.settings, g.bound).number();
    if (!agrees(found, g.value, g.tolerance)) wrong.push_back(difference(name_of(g), found, g.value));
  }
  return wrong;
}

inline Differences wrong_gradient_norms(const std::vector<Golden>& golden) {
  Differences wrong;
  for (const Golden& g : golden) {
    if (g.gradient_norm == 0) continue;
    const double found = evaluate(g.id, g.settings, g.bound).gradient_norm();
    if (!agrees(found, g.gradient_norm, 1e-8)) wrong.push_back(difference(name_of(g), found, g.gradient_norm));
  }
  return wrong;
}

/// Value and gradient beside those of float64.
inline Differences wrong_in_float32(const std::vector<Golden>& golden) {
  Differences wrong;
  for (const Golden& g : golden) {
    const Evaluated fine = evaluate(g.id, g.settings, g.bound);
    const Evaluated coarse = evaluate(g.id, g.settings, converted(g.bound, at::kFloat));
    if (coarse.value.scalar_type() != at::kFloat) wrong.push_back(name_of(g) + ": the value is not float32");
    if (!agrees(coarse.number(), fine.number(), 1e-5))
      wrong.push_back(difference(name_of(g), coarse.number(), fine.number()));
    for (const auto& [port, gradient] : fine.gradient) {
      const double scale = gradient.abs().max().item<double>();
      const double off = (coarse.gradient.at(port).to(at::kDouble) - gradient).abs().max().item<double>();
      if (!(off <= 1e-5 * scale)) wrong.push_back(difference(name_of(g) + ", gradient of " + port + " off", off, 0));
    }
  }
  return wrong;
}

/// Half precision is computed in float32, to the bit. An adaptor's parameters have the precision of the run, so only
/// losses without parts take part.
inline Differences wrong_in_half_precision(const std::vector<Golden>& golden) {
  Differences wrong;
  for (const Golden& g : golden) {
    const Bound low = converted(g.bound, at::kBFloat16), same = converted(low, at::kFloat);
    LossCase from_low(g.id, g.settings, low);
    if (from_low.parts().size() > 0) continue;
    const Evaluated e = from_low.evaluate();
    const double expected = evaluate(g.id, g.settings, same).number();
    if (e.value.scalar_type() != at::kFloat) wrong.push_back(name_of(g) + ": the value is not float32");
    if (e.number() != expected) wrong.push_back(difference(name_of(g), e.number(), expected));
  }
  return wrong;
}

/// The inputs of the teacher that a gradient has reached.
inline Differences teacher_gradients(const std::vector<Golden>& golden) {
  Differences reached;
  for (const Golden& g : golden) {
    Bound bound = g.bound;
    for (auto& [port, value] : bound)
      if (port.rfind("teacher.", 0) == 0) value = value.detach().clone().requires_grad_();
    evaluate(g.id, g.settings, bound);
    for (const auto& [port, value] : bound)
      if (port.rfind("teacher.", 0) == 0 && value.grad().defined()) reached.push_back(name_of(g) + ": " + port);
  }
  return reached;
}

/// Gradients beside central differences of the value.
inline Differences wrong_gradients(const std::vector<std::tuple<const char*, Settings, Bound>>& cases) {
  Differences wrong;
  for (const auto& [id, settings, bound] : cases) {
    const double off = gradient_error(id, settings, bound);
    if (!(off < 1e-5))
      wrong.push_back(difference(id + (settings.empty() ? "" : " with " + settings.front().first) + " off", off, 0));
  }
  return wrong;
}

}  // namespace kdhost::test
