// SPDX-License-Identifier: MIT
// Rows of operator_rows.hpp: operators element by element.
#include "sdk/operator_rows.hpp"

namespace operator_rows {

void add_pointwise_rows(Rows& rows) {
  add_row(rows, "add", {N({3, 4}), N({4})}, [](const auto& x) { return add(x[0], x[1]); });
  add_row(rows, "add scalar", {N({3, 4})}, [](const auto& x) { return add(x[0], 2.5); });
  add_row(rows, "sub", {N({3, 4}), N({4})}, [](const auto& x) { return sub(x[0], x[1]); });
  add_row(rows, "sub scalar", {N({3, 4})}, [](const auto& x) { return sub(x[0], 2.5); });
  add_row(rows, "mul", {N({3, 4}), N({4})}, [](const auto& x) { return mul(x[0], x[1]); });
  add_row(rows, "mul scalar", {N({3, 4})}, [](const auto& x) { return mul(x[0], 2.5); });
  add_row(rows, "div", {N({3, 4}), P({4})}, [](const auto& x) { return div(x[0], x[1]); });
  add_row(rows, "div scalar", {N({3, 4})}, [](const auto& x) { return div(x[0], 3.0); });
  add_row(rows, "add to integers", {I(9, {4})}, [](const auto& x) { return add(x[0], 1); });
  add_row(rows, "rsub", {N({3, 4})}, [](const auto& x) { return rsub(x[0], 1.5); });
  add_row(rows, "floor_divide", {N({3, 4}), P({3, 4})},
          [](const auto& x) { return floor_divide(x[0].detach(), x[1].detach()); });
  add_row(rows, "floor_divide scalar", {I(20, {5})}, [](const auto& x) { return floor_divide(x[0], 3); });
  add_row(rows, "remainder", {N({3, 4}), P({3, 4})}, [](const auto& x) { return remainder(x[0], x[1]); });
  add_row(rows, "remainder scalar", {N({3, 4})}, [](const auto& x) { return remainder(x[0], 0.7); });
  add_row(rows, "fmod", {N({3, 4}), P({3, 4})}, [](const auto& x) { return fmod(x[0], x[1]); });
  add_row(rows, "fmod scalar", {N({3, 4})}, [](const auto& x) { return fmod(x[0], 0.7); });
  add_row(rows, "pow", {P({3, 4}), N({3, 4})}, [](const auto& x) { return pow(x[0], x[1]); });
  add_row(rows, "pow scalar exponent", {P({3, 4})}, [](const auto& x) { return pow(x[0], 2.5); });
  add_row(rows, "pow of integers", {I(9, {4})}, [](const auto& x) { return pow(x[0], 2); });
  add_row(rows, "pow scalar base", {N({3, 4})}, [](const auto& x) { return pow(2.0, x[0]); });
  add_row(rows, "addcmul", {N({3, 4}), N({3, 4}), N({4})},
          [](const auto& x) { return addcmul(x[0], x[1], x[2], 0.5); });
  add_row(rows, "addcdiv", {N({3, 4}), N({3, 4}), P({4})},
          [](const auto& x) { return addcdiv(x[0], x[1], x[2], 0.5); });
  add_row(rows, "lerp", {N({3, 4}), N({3, 4}), P({3, 4})}, [](const auto& x) { return lerp(x[0], x[1], x[2]); });
  add_row(rows, "lerp scalar", {N({3, 4}), N({3, 4})}, [](const auto& x) { return lerp(x[0], x[1], 0.3); });
  add_row(
      rows, "add_", {I(9, {4})}, [](const auto& x) { return x[0].clone().add_(1); },
      [](const auto& x) { return kdhost::add_(clone(x[0]), 1); });
  add_row(rows, "operator +", {N({3, 4}), N({3, 4})}, [](const auto& x) { return (2.0 + x[0]) + (x[1] + 1.0); });
  add_row(rows, "operator -", {N({3, 4}), N({3, 4})}, [](const auto& x) { return (2.0 - x[0]) - (x[1] - 1.0); });
  add_row(rows, "operator *", {N({3, 4}), N({3, 4})}, [](const auto& x) { return (2.0 * x[0]) * (x[1] * 3.0); });
  add_row(
      rows, "operator /", {P({3, 4}), P({3, 4})},
      [](const auto& x) { return (at::reciprocal(x[0]) * 2.0) / (x[1] / 3.0); },
      [](const auto& x) { return (2.0 / x[0]) / (x[1] / 3.0); });
  add_row(rows, "operator unary -", {N({3, 4})}, [](const auto& x) { return -x[0]; });
  add_row(rows, "neg", {N({3, 4})}, [](const auto& x) { return neg(x[0]); });
  add_row(rows, "abs", {N({3, 4})}, [](const auto& x) { return abs(x[0]); });
  add_row(rows, "sign", {N({3, 4})}, [](const auto& x) { return sign(x[0]); });
  add_row(rows, "exp", {N({3, 4})}, [](const auto& x) { return exp(x[0]); });
  add_row(rows, "expm1", {N({3, 4})}, [](const auto& x) { return expm1(x[0]); });
  add_row(rows, "square", {N({3, 4})}, [](const auto& x) { return square(x[0]); });
  add_row(rows, "sin", {N({3, 4})}, [](const auto& x) { return sin(x[0]); });
  add_row(rows, "cos", {N({3, 4})}, [](const auto& x) { return cos(x[0]); });
  add_row(rows, "tan", {N({3, 4})}, [](const auto& x) { return tan(x[0]); });
  add_row(rows, "atan", {N({3, 4})}, [](const auto& x) { return atan(x[0]); });
  add_row(rows, "sinh", {N({3, 4})}, [](const auto& x) { return sinh(x[0]); });
  add_row(rows, "cosh", {N({3, 4})}, [](const auto& x) { return cosh(x[0]); });
  add_row(rows, "tanh", {N({3, 4})}, [](const auto& x) { return tanh(x[0]); });
  add_row(rows, "sigmoid", {N({3, 4})}, [](const auto& x) { return sigmoid(x[0]); });
  add_row(rows, "erf", {N({3, 4})}, [](const auto& x) { return erf(x[0]); });
  add_row(rows, "erfc", {N({3, 4})}, [](const auto& x) { return erfc(x[0]); });
  add_row(rows, "floor", {N({3, 4})}, [](const auto& x) { return floor(x[0]); });
  add_row(rows, "ceil", {N({3, 4})}, [](const auto& x) { return ceil(x[0]); });
  add_row(rows, "round", {N({3, 4})}, [](const auto& x) { return round(x[0]); });
  add_row(rows, "trunc", {N({3, 4})}, [](const auto& x) { return trunc(x[0]); });
  add_row(rows, "frac", {N({3, 4})}, [](const auto& x) { return frac(x[0]); });
  add_row(rows, "isfinite", {N({3, 4})}, [](const auto& x) { return isfinite(x[0]); });
  add_row(rows, "isnan", {N({3, 4})}, [](const auto& x) { return isnan(x[0]); });
  add_row(rows, "isinf", {N({3, 4})}, [](const auto& x) { return isinf(x[0]); });
  add_row(rows, "reciprocal", {P({3, 4})}, [](const auto& x) { return reciprocal(x[0]); });
  add_row(rows, "log", {P({3, 4})}, [](const auto& x) { return log(x[0]); });
  add_row(rows, "log1p", {P({3, 4})}, [](const auto& x) { return log1p(x[0]); });
  add_row(rows, "log2", {P({3, 4})}, [](const auto& x) { return log2(x[0]); });
  add_row(rows, "log10", {P({3, 4})}, [](const auto& x) { return log10(x[0]); });
  add_row(rows, "sqrt", {P({3, 4})}, [](const auto& x) { return sqrt(x[0]); });
  add_row(rows, "rsqrt", {P({3, 4})}, [](const auto& x) { return rsqrt(x[0]); });
  add_row(rows, "lgamma", {P({3, 4})}, [](const auto& x) { return lgamma(x[0]); });
  add_row(rows, "digamma", {P({3, 4})}, [](const auto& x) { return digamma(x[0]); });
  add_row(rows, "asin", {U({3, 4})}, [](const auto& x) { return asin(x[0]); });
  add_row(rows, "acos", {U({3, 4})}, [](const auto& x) { return acos(x[0]); });
  add_row(rows, "logical_not", {B({3, 4})}, [](const auto& x) { return logical_not(x[0]); });
  add_row(rows, "bitwise_not", {I(9, {3, 4})}, [](const auto& x) { return bitwise_not(x[0]); });
  add_row(
      rows, "logsigmoid", {N({3, 4})}, [](const auto& x) { return at::log_sigmoid(x[0]); },
      [](const auto& x) { return kdhost::logsigmoid(x[0]); });
  add_row(rows, "softplus", {N({3, 4})}, [](const auto& x) { return softplus(x[0], 2, 10); });
  add_row(
      rows, "entr", {P({3, 4})}, [](const auto& x) { return at::special_entr(x[0]); },
      [](const auto& x) { return kdhost::entr(x[0]); });
  add_row(rows, "nan_to_num", {N({3, 4})}, [](const auto& x) { return nan_to_num(log(x[0]), 0.5, 3.0, -3.0); });
  add_row(rows, "clamp", {N({3, 4})}, [](const auto& x) { return clamp(x[0], -0.5, 0.5); });
  add_row(rows, "clamp tensors", {N({3, 4}), N({4}), P({4})}, [](const auto& x) { return clamp(x[0], x[1], x[2]); });
  add_row(rows, "clamp_min", {N({3, 4})}, [](const auto& x) { return clamp_min(x[0], -0.5); });
  add_row(rows, "clamp_min tensor", {N({3, 4}), N({4})}, [](const auto& x) { return clamp_min(x[0], x[1]); });
  add_row(rows, "clamp_max", {N({3, 4})}, [](const auto& x) { return clamp_max(x[0], 0.5); });
  add_row(rows, "clamp_max tensor", {N({3, 4}), N({4})}, [](const auto& x) { return clamp_max(x[0], x[1]); });
  add_row(rows, "maximum", {N({3, 4}), N({3, 4})}, [](const auto& x) { return maximum(x[0], x[1]); });
  add_row(rows, "minimum", {N({3, 4}), N({3, 4})}, [](const auto& x) { return minimum(x[0], x[1]); });
  add_row(rows, "atan2", {N({3, 4}), N({3, 4})}, [](const auto& x) { return atan2(x[0], x[1]); });
  add_row(rows, "hypot", {N({3, 4}), N({3, 4})}, [](const auto& x) { return hypot(x[0], x[1]); });
  add_row(rows, "logaddexp", {N({3, 4}), N({3, 4})}, [](const auto& x) { return logaddexp(x[0], x[1]); });
  add_row(rows, "xlogy", {P({3, 4}), P({3, 4})}, [](const auto& x) { return xlogy(x[0], x[1]); });
  add_row(rows, "eq", {I(3, {3, 4}), I(3, {4})}, [](const auto& x) { return eq(x[0], x[1]); });
  add_row(rows, "eq scalar", {I(3, {3, 4})}, [](const auto& x) { return eq(x[0], 1); });
  add_row(rows, "ne", {I(3, {3, 4}), I(3, {4})}, [](const auto& x) { return ne(x[0], x[1]); });
  add_row(rows, "ne scalar", {I(3, {3, 4})}, [](const auto& x) { return ne(x[0], 1); });
  add_row(rows, "lt", {I(3, {3, 4}), I(3, {4})}, [](const auto& x) { return lt(x[0], x[1]); });
  add_row(rows, "lt scalar", {I(3, {3, 4})}, [](const auto& x) { return lt(x[0], 1); });
  add_row(rows, "le", {I(3, {3, 4}), I(3, {4})}, [](const auto& x) { return le(x[0], x[1]); });
  add_row(rows, "le scalar", {I(3, {3, 4})}, [](const auto& x) { return le(x[0], 1); });
  add_row(rows, "gt", {I(3, {3, 4}), I(3, {4})}, [](const auto& x) { return gt(x[0], x[1]); });
  add_row(rows, "gt scalar", {I(3, {3, 4})}, [](const auto& x) { return gt(x[0], 1); });
  add_row(rows, "ge", {I(3, {3, 4}), I(3, {4})}, [](const auto& x) { return ge(x[0], x[1]); });
  add_row(rows, "ge scalar", {I(3, {3, 4})}, [](const auto& x) { return ge(x[0], 1); });
  add_row(
      rows, "operator <", {I(3, {9}), I(3, {9})},
      [](const auto& x) {
        return at::stack({x[0] < x[1], x[0] < 1, gt(x[1], 0)}, 0);
      },
      [](const auto& x) {
        return kdhost::stack({x[0] < x[1], x[0] < 1, gt(x[1], 0)}, 0);
      });
  add_row(
      rows, "operator <=", {I(3, {9}), I(3, {9})},
      [](const auto& x) {
        return at::stack({x[0] <= x[1], x[0] <= 1, gt(x[1], 0)}, 0);
      },
      [](const auto& x) {
        return kdhost::stack({x[0] <= x[1], x[0] <= 1, gt(x[1], 0)}, 0);
      });
  add_row(
      rows, "operator >", {I(3, {9}), I(3, {9})},
      [](const auto& x) {
        return at::stack({x[0] > x[1], x[0] > 1, gt(x[1], 0)}, 0);
      },
      [](const auto& x) {
        return kdhost::stack({x[0] > x[1], x[0] > 1, gt(x[1], 0)}, 0);
      });
  add_row(
      rows, "operator >=", {I(3, {9}), I(3, {9})},
      [](const auto& x) {
        return at::stack({x[0] >= x[1], x[0] >= 1, gt(x[1], 0)}, 0);
      },
      [](const auto& x) {
        return kdhost::stack({x[0] >= x[1], x[0] >= 1, gt(x[1], 0)}, 0);
      });
  add_row(
      rows, "operator < mirrored", {I(3, {9})},
      [](const auto& x) {
        return at::stack({at::gt(x[0], 1), at::ge(x[0], 1), at::lt(x[0], 1), at::le(x[0], 1)});
      },
      [](const auto& x) {
        return kdhost::stack({1 < x[0], 1 <= x[0], 1 > x[0], 1 >= x[0]});
      });
  add_row(rows, "logical_and", {B({3, 4}), B({4})}, [](const auto& x) { return logical_and(x[0], x[1]); });
  add_row(rows, "logical_or", {B({3, 4}), B({4})}, [](const auto& x) { return logical_or(x[0], x[1]); });
  add_row(rows, "logical_xor", {B({3, 4}), B({4})}, [](const auto& x) { return logical_xor(x[0], x[1]); });
  add_row(rows, "bitwise_and", {I(9, {3, 4}), I(9, {4})}, [](const auto& x) { return bitwise_and(x[0], x[1]); });
  add_row(rows, "bitwise_and scalar", {I(9, {4})}, [](const auto& x) { return bitwise_and(x[0], 3); });
  add_row(rows, "bitwise_or", {I(9, {3, 4}), I(9, {4})}, [](const auto& x) { return bitwise_or(x[0], x[1]); });
  add_row(rows, "bitwise_or scalar", {I(9, {4})}, [](const auto& x) { return bitwise_or(x[0], 3); });
  add_row(rows, "bitwise_xor", {I(9, {3, 4}), I(9, {4})}, [](const auto& x) { return bitwise_xor(x[0], x[1]); });
  add_row(rows, "bitwise_xor scalar", {I(9, {4})}, [](const auto& x) { return bitwise_xor(x[0], 3); });
  add_row(
      rows, "operator bits", {B({9}), B({9})}, [](const auto& x) { return (x[0] & x[1]) ^ at::bitwise_not(x[0]); },
      [](const auto& x) { return (x[0] & x[1]) ^ ~x[0]; });
  add_row(rows, "operator bit or", {B({9}), B({9})}, [](const auto& x) { return (x[0] | x[1]); });
  add_row(rows, "where", {B({3, 4}), N({3, 4}), N({4})}, [](const auto& x) { return where(x[0], x[1], x[2]); });
  add_row(rows, "where scalar other", {B({3, 4}), N({3, 4})}, [](const auto& x) { return where(x[0], x[1], 0.5); });
  add_row(rows, "where scalar self", {B({3, 4}), N({3, 4})}, [](const auto& x) { return where(x[0], 0.5, x[1]); });
  add_row(rows, "where scalars", {B({3, 4})}, [](const auto& x) { return where(x[0], 0.5, 1.5); });
}

}  // namespace operator_rows
