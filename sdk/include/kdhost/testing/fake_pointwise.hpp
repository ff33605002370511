// SPDX-License-Identifier: MIT
//
// kdhost/testing/fake_pointwise.hpp: element-wise operators and losses of the fake host. Part of <kdhost/testing.hpp>.
#pragma once
#include <kdhost/testing/fake_tensor.hpp>

namespace kdhost {
namespace testing {

using Unary = double (*)(double);
using Binary = double (*)(double, double);

template <class F>
Array map(Array a, F f) {
  for (double& x : a.v) x = f(x);
  return a;
}
template <class F>
Array map(const Array& a, const Array& b, Dtype dtype, F f) {
  Array out = array(broadcast(a.shape, b.shape), dtype);
  for (std::int64_t i = 0; i < out.size(); ++i)
    out.v[at(i)] = f(a.v[source(i, out.shape, a.shape)], b.v[source(i, out.shape, b.shape)]);
  return out;
}
inline double log_sigmoid(double x) { return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x))); }
inline double sign(double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0; }

/// ATen's numbers: 0 none, 1 mean, 2 sum.
inline Array reduced(Array a, std::int64_t reduction) {
  if (reduction == 0) return a;
  double sum = 0;
  for (const double x : a.v) sum += x;
  Array out = array({}, a.dtype);
  out.v[0] = reduction == 1 ? sum / static_cast<double>(a.v.size()) : sum;
  return out;
}

inline void add_unary(Operators& ops) {
  const auto floating = [&](const char* name, Unary f) {
    ops.emplace_back(name, single([f](const Arguments& a) {
                       Array x = a.tensor("self");
                       x.dtype = as_floating(x.dtype);
                       return map(std::move(x), f);
                     }));
  };
  const auto keeping = [&](const char* name, Unary f) {
    ops.emplace_back(name, single([f](const Arguments& a) { return map(a.tensor("self"), f); }));
  };
  const auto truth = [&](const char* name, Unary f) {
    ops.emplace_back(name, single([f](const Arguments& a) {
                       Array x = map(a.tensor("self"), f);
                       x.dtype = Dtype::boolean;
                       return x;
                     }));
  };
  floating("exp", [](double x) { return std::exp(x); });
  floating("expm1", [](double x) { return std::expm1(x); });
  floating("log", [](double x) { return std::log(x); });
  floating("log1p", [](double x) { return std::log1p(x); });
  floating("log2", [](double x) { return std::log2(x); });
  floating("sqrt", [](double x) { return std::sqrt(x); });
  floating("rsqrt", [](double x) { return 1.0 / std::sqrt(x); });
  floating("reciprocal", [](double x) { return 1.0 / x; });
  floating("sin", [](double x) { return std::sin(x); });
  floating("cos", [](double x) { return std::cos(x); });
  floating("tanh", [](double x) { return std::tanh(x); });
  floating("sigmoid", [](double x) { return 1.0 / (1.0 + std::exp(-x)); });
  floating("erf", [](double x) { return std::erf(x); });
  floating("log_sigmoid", log_sigmoid);
  floating("silu", [](double x) { return x / (1.0 + std::exp(-x)); });
  floating("special_entr", [](double x) { return x == 0 ? 0.0 : -x * std::log(x); });
  keeping("neg", [](double x) { return -x; });
  keeping("abs", [](double x) { return std::abs(x); });
  keeping("sign", sign);
  keeping("square", [](double x) { return x * x; });
  keeping("floor", [](double x) { return std::floor(x); });
  keeping("ceil", [](double x) { return std::ceil(x); });
  keeping("round", [](double x) { return std::nearbyint(x); });
  keeping("trunc", [](double x) { return std::trunc(x); });
  keeping("relu", [](double x) { return std::max(x, 0.0); });
  for (const char* copy : {"clone", "detach", "contiguous"}) keeping(copy, [](double x) { return x; });
  truth("isnan", [](double x) { return std::isnan(x) ? 1.0 : 0.0; });
  truth("isinf", [](double x) { return std::isinf(x) ? 1.0 : 0.0; });
  truth("isfinite", [](double x) { return std::isfinite(x) ? 1.0 : 0.0; });
  truth("logical_not", [](double x) { return x == 0 ? 1.0 : 0.0; });

  ops.emplace_back("gelu", single([](const Arguments& a) {
                     const bool by_tanh = a.text("approximate", "none") == "tanh";
                     return map(a.tensor("self"), [by_tanh](double x) {
                       const double z = 0.79788456080286535588 * (x + 0.044715 * x * x * x);  // sqrt(2 / pi)
                       return 0.5 * x * (1.0 + (by_tanh ? std::tanh(z) : std::erf(x * 0.70710678118654752440)));
                     });
                   }));
  ops.emplace_back("leaky_relu", single([](const Arguments& a) {
                     const double slope = a.number("negative_slope", 0.01);
                     return map(a.tensor("self"), [slope](double x) { return x > 0 ? x : slope * x; });
                   }));
  ops.emplace_back("elu", single([](const Arguments& a) {
                     const double alpha = a.number("alpha", 1.0);
                     return map(a.tensor("self"), [alpha](double x) { return x > 0 ? x : alpha * std::expm1(x); });
                   }));
  ops.emplace_back("hardtanh", single([](const Arguments& a) {
                     const double lo = a.number("min_val", -1.0), hi = a.number("max_val", 1.0);
                     return map(a.tensor("self"), [=](double x) { return std::min(std::max(x, lo), hi); });
                   }));
  ops.emplace_back("softplus", single([](const Arguments& a) {
                     const double beta = a.number("beta", 1.0), threshold = a.number("threshold", 20.0);
                     return map(a.tensor("self"), [=](double x) {
                       return x * beta > threshold ? x : std::log1p(std::exp(x * beta)) / beta;
                     });
                   }));
  ops.emplace_back("to.dtype", single([](const Arguments& a) {
                     Array x = a.tensor("self");
                     const Dtype to = a.dtype("dtype", x.dtype);
                     if (is_floating(x.dtype) && rank_of(to) == 1)
                       for (double& e : x.v) e = std::trunc(e);
                     x.dtype = to;
                     return x;
                   }));
  ops.emplace_back("to.device", single([](const Arguments& a) { return a.tensor("self"); }));
  ops.emplace_back("relu_", [](const Arguments& a) {
    FakeTensor& self = a.own("self");
    self.assign(map(self.read(), [](double x) { return std::max(x, 0.0); }));
    ++self.references;
    return std::vector<kdh_tensor>{handle(&self)};
  });
  ops.emplace_back("add_.Scalar", [](const Arguments& a) {
    FakeTensor& self = a.own("self");
    const double other = a.number("other");
    self.assign(map(self.read(), [other](double x) { return x + other; }));
    ++self.references;
    return std::vector<kdh_tensor>{handle(&self)};
  });
}

inline void add_binary(Operators& ops) {
  enum class Result { promoted, floating, boolean };
  const auto binary = [&](const std::string& name, Result result, Binary f, const char* left = "self",
                          const char* right = "other") {
    const std::string l = left, r = right;
    ops.emplace_back(name, single([=](const Arguments& a) {
                       const bool left_number = a.get(l).type != KDH_T_TENSOR;
                       const Array y0 = left_number ? a.tensor(r) : Array{};
                       const Array x = left_number ? a.operand(l, y0.dtype) : a.tensor(l);
                       const Array y = left_number ? y0 : a.operand(r, x.dtype);
                       const bool x_counts = !x.shape.empty() || y.shape.empty(),
                                  y_counts = !y.shape.empty() || x.shape.empty();
                       Dtype d = x_counts && y_counts ? promoted(x.dtype, y.dtype) : x_counts ? x.dtype : y.dtype;
                       if (rank_of(x.dtype) > rank_of(d)) d = x.dtype;  // a number of a higher kind still decides
                       if (rank_of(y.dtype) > rank_of(d)) d = y.dtype;
                       if (result == Result::floating) d = as_floating(d);
                       if (result == Result::boolean) d = Dtype::boolean;
                       return map(x, y, d, f);
                     }));
  };
  const auto both = [&](const std::string& name, Result result, Binary f) {
    binary(name + ".Tensor", result, f);
    binary(name + ".Scalar", result, f);
  };
  both("add", Result::promoted, [](double x, double y) { return x + y; });
  both("sub", Result::promoted, [](double x, double y) { return x - y; });
  both("mul", Result::promoted, [](double x, double y) { return x * y; });
  both("div", Result::floating, [](double x, double y) { return x / y; });
  binary("rsub.Scalar", Result::promoted, [](double x, double y) { return y - x; });
  const Binary power = [](double x, double y) { return std::pow(x, y); };
  binary("pow.Tensor_Tensor", Result::promoted, power, "self", "exponent");
  binary("pow.Tensor_Scalar", Result::promoted, power, "self", "exponent");
  binary("pow.Scalar", Result::promoted, power, "self", "exponent");
  binary("maximum", Result::promoted, [](double x, double y) { return std::isnan(x) || x > y ? x : y; });
  binary("minimum", Result::promoted, [](double x, double y) { return std::isnan(x) || x < y ? x : y; });
  binary(
      "clamp_min", Result::promoted, [](double x, double y) { return std::max(x, y); }, "self", "min");
  binary(
      "clamp_max", Result::promoted, [](double x, double y) { return std::min(x, y); }, "self", "max");
  binary("xlogy.Tensor", Result::floating, [](double x, double y) { return x == 0 ? 0.0 : x * std::log(y); });
  binary("logaddexp", Result::floating, [](double x, double y) {
    const double m = std::max(x, y);
    return m + std::log(std::exp(x - m) + std::exp(y - m));
  });
  both("eq", Result::boolean, [](double x, double y) { return x == y ? 1.0 : 0.0; });
  both("ne", Result::boolean, [](double x, double y) { return x != y ? 1.0 : 0.0; });
  both("lt", Result::boolean, [](double x, double y) { return x < y ? 1.0 : 0.0; });
  both("le", Result::boolean, [](double x, double y) { return x <= y ? 1.0 : 0.0; });
  both("gt", Result::boolean, [](double x, double y) { return x > y ? 1.0 : 0.0; });
  both("ge", Result::boolean, [](double x, double y) { return x >= y ? 1.0 : 0.0; });
  binary("logical_and", Result::boolean, [](double x, double y) { return x != 0 && y != 0 ? 1.0 : 0.0; });
  binary("logical_or", Result::boolean, [](double x, double y) { return x != 0 || y != 0 ? 1.0 : 0.0; });
  binary("logical_xor", Result::boolean, [](double x, double y) { return (x != 0) != (y != 0) ? 1.0 : 0.0; });

  ops.emplace_back("clamp", single([](const Arguments& a) {
                     const double lo = a.number("min"), hi = a.number("max");
                     return map(a.tensor("self"), [=](double x) { return std::min(std::max(x, lo), hi); });
                   }));
  const auto where = single([](const Arguments& a) {
    const Array condition = a.tensor("condition");
    const bool number = a.get("self").type != KDH_T_TENSOR;
    const Array other = a.operand("other", number ? Dtype::f32 : a.own("self").dtype());
    const Array self = a.operand("self", other.dtype);
    Array out =
        array(broadcast(condition.shape, broadcast(self.shape, other.shape)), promoted(self.dtype, other.dtype));
    for (std::int64_t i = 0; i < out.size(); ++i)
      out.v[at(i)] = condition.v[source(i, out.shape, condition.shape)] != 0
                         ? self.v[source(i, out.shape, self.shape)]
                         : other.v[source(i, out.shape, other.shape)];
    return out;
  });
  for (const char* name : {"where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar"})
    ops.emplace_back(name, where);
  const auto lerp = single([](const Arguments& a) {
    const Array self = a.tensor("self"), end = a.tensor("end"), weight = a.operand("weight", self.dtype);
    const Array difference = map(end, self, self.dtype, [](double e, double s) { return e - s; });
    const Array step = map(difference, weight, self.dtype, [](double d, double w) { return d * w; });
    return map(self, step, self.dtype, [](double s, double d) { return s + d; });
  });
  ops.emplace_back("lerp.Scalar", lerp);
  ops.emplace_back("lerp.Tensor", lerp);
  ops.emplace_back("masked_fill.Scalar", single([](const Arguments& a) {
                     const Array self = a.tensor("self"), mask = a.tensor("mask");
                     const double value = a.number("value");
                     return map(self, mask, self.dtype, [value](double x, double m) { return m != 0 ? value : x; });
                   }));
}

inline void add_losses(Operators& ops) {
  const auto loss = [&](const char* name, auto f) {
    ops.emplace_back(name, single([f](const Arguments& a) {
                       const Array x = a.tensor("self"), y = a.tensor("target");
                       return reduced(map(x, y, x.dtype, [&](double p, double q) { return f(a, p, q); }),
                                      a.integer("reduction", 1));
                     }));
  };
  loss("mse_loss", [](const Arguments&, double x, double y) { return (x - y) * (x - y); });
  loss("l1_loss", [](const Arguments&, double x, double y) { return std::abs(x - y); });
  loss("smooth_l1_loss", [](const Arguments& a, double x, double y) {
    const double beta = a.number("beta", 1.0), d = std::abs(x - y);
    return d < beta ? 0.5 * d * d / beta : d - 0.5 * beta;
  });
  loss("huber_loss", [](const Arguments& a, double x, double y) {
    const double delta = a.number("delta", 1.0), d = std::abs(x - y);
    return d < delta ? 0.5 * d * d : delta * (d - 0.5 * delta);
  });
  loss("kl_div", [](const Arguments& a, double x, double y) {
    if (a.flag("log_target", false)) return std::exp(y) * (y - x);
    return (y == 0 ? 0.0 : y * std::log(y)) - y * x;
  });
  loss("binary_cross_entropy_with_logits", [](const Arguments& a, double x, double y) {
    if (a.has("weight") || a.has("pos_weight")) throw std::invalid_argument("the fake host takes no weights here");
    return -(y * log_sigmoid(x) + (1.0 - y) * log_sigmoid(-x));
  });
}

}  // namespace testing
}  // namespace kdhost
