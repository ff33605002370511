// SPDX-License-Identifier: MIT
// What every golden value must pass: the published number and gradient norm in float64, the same numbers in float32,
// half precision computed in float32, central differences, and no gradient to the teacher. One file a family lists the
// cases.
#pragma once

#include <tuple>
#include <vector>

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

inline void check_values(const std::vector<Golden>& golden) {
  for (const Golden& g : golden) {
    INFO(g.id << " as in " << g.code);
    CHECK(evaluate(g.id, g.settings, g.bound).number() == Approx(g.value).epsilon(g.tolerance));
  }
}

inline void check_gradient_norms(const std::vector<Golden>& golden) {
  for (const Golden& g : golden) {
    if (g.gradient_norm == 0) continue;
    INFO(g.id << " as in " << g.code);
    CHECK(evaluate(g.id, g.settings, g.bound).gradient_norm() == Approx(g.gradient_norm).epsilon(1e-8));
  }
}

inline void check_float32(const std::vector<Golden>& golden) {
  for (const Golden& g : golden) {
    INFO(g.id << " as in " << g.code);
    const Evaluated fine = evaluate(g.id, g.settings, g.bound);
    const Evaluated coarse = evaluate(g.id, g.settings, converted(g.bound, at::kFloat));
    CHECK(coarse.value.scalar_type() == at::kFloat);
    CHECK(coarse.number() == Approx(fine.number()).epsilon(1e-5));
    for (const auto& [port, gradient] : fine.gradient) {
      const double scale = gradient.abs().max().item<double>();
      CHECK((coarse.gradient.at(port).to(at::kDouble) - gradient).abs().max().item<double>() <= 1e-5 * scale);
    }
  }
}

/// An adaptor's parameters have the precision of the run, so only losses without parts take part.
inline void check_half_precision(const std::vector<Golden>& golden) {
  for (const Golden& g : golden) {
    INFO(g.id << " as in " << g.code);
    const Bound low = converted(g.bound, at::kBFloat16), same = converted(low, at::kFloat);
    LossCase from_low(g.id, g.settings, low);
    if (from_low.parts().size() > 0) continue;
    const Evaluated e = from_low.evaluate();
    CHECK(e.value.scalar_type() == at::kFloat);
    CHECK(e.number() == evaluate(g.id, g.settings, same).number());
  }
}

inline void check_no_teacher_gradient(const std::vector<Golden>& golden) {
  for (const Golden& g : golden) {
    INFO(g.id << " as in " << g.code);
    Bound bound = g.bound;
    for (auto& [port, value] : bound)
      if (port.rfind("teacher.", 0) == 0) value = value.detach().clone().requires_grad_();
    evaluate(g.id, g.settings, bound);
    for (auto& [port, value] : bound)
      if (port.rfind("teacher.", 0) == 0) CHECK_FALSE(value.grad().defined());
  }
}

inline void check_central_differences(const std::vector<std::tuple<const char*, Settings, Bound>>& cases) {
  for (const auto& [id, settings, bound] : cases) {
    INFO(id << (settings.empty() ? "" : " with " + settings.front().first));
    CHECK(gradient_error(id, settings, bound) < 1e-5);
  }
}

}  // namespace kdhost::test
