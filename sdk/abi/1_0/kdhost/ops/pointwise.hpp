// SPDX-License-Identifier: MIT
//
// kdhost/ops/pointwise.hpp: operators element by element: arithmetic, functions, comparisons, logic, bits. Every
// argument keeps PyTorch's name; tensors broadcast as there. Part of <kdhost/ops.hpp>.
#pragma once
#include <kdhost/tensor.hpp>

namespace kdhost {
inline namespace v1 {

// ---- arithmetic
inline Tensor add(const Tensor& self, const Tensor& other) {
  static const Op op("aten::add", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor add(const Tensor& self, Scalar other) {
  static const Op op("aten::add", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor sub(const Tensor& self, const Tensor& other) {
  static const Op op("aten::sub", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor sub(const Tensor& self, Scalar other) {
  static const Op op("aten::sub", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor mul(const Tensor& self, const Tensor& other) {
  static const Op op("aten::mul", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor mul(const Tensor& self, Scalar other) {
  static const Op op("aten::mul", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor div(const Tensor& self, const Tensor& other) {
  static const Op op("aten::div", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor div(const Tensor& self, Scalar other) {
  static const Op op("aten::div", "Scalar");
  return op({{"self", self}, {"other", other}});
}
/// other - self.
inline Tensor rsub(const Tensor& self, Scalar other) {
  static const Op op("aten::rsub", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor floor_divide(const Tensor& self, const Tensor& other) {
  static const Op op("aten::floor_divide");
  return op({{"self", self}, {"other", other}});
}
inline Tensor floor_divide(const Tensor& self, Scalar other) {
  static const Op op("aten::floor_divide", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor remainder(const Tensor& self, const Tensor& other) {
  static const Op op("aten::remainder", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor remainder(const Tensor& self, Scalar other) {
  static const Op op("aten::remainder", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor fmod(const Tensor& self, const Tensor& other) {
  static const Op op("aten::fmod", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor fmod(const Tensor& self, Scalar other) {
  static const Op op("aten::fmod", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor pow(const Tensor& self, const Tensor& exponent) {
  static const Op op("aten::pow", "Tensor_Tensor");
  return op({{"self", self}, {"exponent", exponent}});
}
inline Tensor pow(const Tensor& self, Scalar exponent) {
  static const Op op("aten::pow", "Tensor_Scalar");
  return op({{"self", self}, {"exponent", exponent}});
}
inline Tensor pow(Scalar self, const Tensor& exponent) {
  static const Op op("aten::pow", "Scalar");
  return op({{"self", self}, {"exponent", exponent}});
}
/// self + value * tensor1 * tensor2.
inline Tensor addcmul(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, Scalar value = 1) {
  static const Op op("aten::addcmul");
  return op({{"self", self}, {"tensor1", tensor1}, {"tensor2", tensor2}, {"value", value}});
}
/// self + value * tensor1 / tensor2.
inline Tensor addcdiv(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, Scalar value = 1) {
  static const Op op("aten::addcdiv");
  return op({{"self", self}, {"tensor1", tensor1}, {"tensor2", tensor2}, {"value", value}});
}
/// self + weight * (end - self).
inline Tensor lerp(const Tensor& self, const Tensor& end, Scalar weight) {
  static const Op op("aten::lerp", "Scalar");
  return op({{"self", self}, {"end", end}, {"weight", weight}});
}
inline Tensor lerp(const Tensor& self, const Tensor& end, const Tensor& weight) {
  static const Op op("aten::lerp", "Tensor");
  return op({{"self", self}, {"end", end}, {"weight", weight}});
}
inline Tensor neg(const Tensor& self) {
  static const Op op("aten::neg");
  return op({{"self", self}});
}
inline Tensor reciprocal(const Tensor& self) {
  static const Op op("aten::reciprocal");
  return op({{"self", self}});
}
/// In place: only into a tensor that this plugin has made, or a counter buffer under NoGrad.
inline Tensor add_(const Tensor& self, Scalar other) {
  static const Op op("aten::add_", "Scalar");
  return op({{"self", self}, {"other", other}});
}

inline Tensor operator-(const Tensor& a) { return neg(a); }
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator+(const Tensor& a, Scalar b) { return add(a, b); }
inline Tensor operator+(Scalar a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator-(const Tensor& a, Scalar b) { return sub(a, b); }
inline Tensor operator-(Scalar a, const Tensor& b) { return rsub(b, a); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator*(const Tensor& a, Scalar b) { return mul(a, b); }
inline Tensor operator*(Scalar a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator/(const Tensor& a, Scalar b) { return div(a, b); }
inline Tensor operator/(Scalar a, const Tensor& b) { return mul(reciprocal(b), a); }

// ---- functions of one tensor
inline Tensor abs(const Tensor& self) {
  static const Op op("aten::abs");
  return op({{"self", self}});
}
inline Tensor sign(const Tensor& self) {
  static const Op op("aten::sign");
  return op({{"self", self}});
}
inline Tensor exp(const Tensor& self) {
  static const Op op("aten::exp");
  return op({{"self", self}});
}
inline Tensor expm1(const Tensor& self) {
  static const Op op("aten::expm1");
  return op({{"self", self}});
}
inline Tensor log(const Tensor& self) {
  static const Op op("aten::log");
  return op({{"self", self}});
}
inline Tensor log1p(const Tensor& self) {
  static const Op op("aten::log1p");
  return op({{"self", self}});
}
inline Tensor log2(const Tensor& self) {
  static const Op op("aten::log2");
  return op({{"self", self}});
}
inline Tensor log10(const Tensor& self) {
  static const Op op("aten::log10");
  return op({{"self", self}});
}
inline Tensor sqrt(const Tensor& self) {
  static const Op op("aten::sqrt");
  return op({{"self", self}});
}
inline Tensor rsqrt(const Tensor& self) {
  static const Op op("aten::rsqrt");
  return op({{"self", self}});
}
inline Tensor square(const Tensor& self) {
  static const Op op("aten::square");
  return op({{"self", self}});
}
inline Tensor sin(const Tensor& self) {
  static const Op op("aten::sin");
  return op({{"self", self}});
}
inline Tensor cos(const Tensor& self) {
  static const Op op("aten::cos");
  return op({{"self", self}});
}
inline Tensor tan(const Tensor& self) {
  static const Op op("aten::tan");
  return op({{"self", self}});
}
inline Tensor asin(const Tensor& self) {
  static const Op op("aten::asin");
  return op({{"self", self}});
}
inline Tensor acos(const Tensor& self) {
  static const Op op("aten::acos");
  return op({{"self", self}});
}
inline Tensor atan(const Tensor& self) {
  static const Op op("aten::atan");
  return op({{"self", self}});
}
inline Tensor sinh(const Tensor& self) {
  static const Op op("aten::sinh");
  return op({{"self", self}});
}
inline Tensor cosh(const Tensor& self) {
  static const Op op("aten::cosh");
  return op({{"self", self}});
}
inline Tensor tanh(const Tensor& self) {
  static const Op op("aten::tanh");
  return op({{"self", self}});
}
inline Tensor sigmoid(const Tensor& self) {
  static const Op op("aten::sigmoid");
  return op({{"self", self}});
}
inline Tensor erf(const Tensor& self) {
  static const Op op("aten::erf");
  return op({{"self", self}});
}
inline Tensor erfc(const Tensor& self) {
  static const Op op("aten::erfc");
  return op({{"self", self}});
}
inline Tensor lgamma(const Tensor& self) {
  static const Op op("aten::lgamma");
  return op({{"self", self}});
}
inline Tensor digamma(const Tensor& self) {
  static const Op op("aten::digamma");
  return op({{"self", self}});
}
inline Tensor floor(const Tensor& self) {
  static const Op op("aten::floor");
  return op({{"self", self}});
}
inline Tensor ceil(const Tensor& self) {
  static const Op op("aten::ceil");
  return op({{"self", self}});
}
inline Tensor round(const Tensor& self) {
  static const Op op("aten::round");
  return op({{"self", self}});
}
inline Tensor trunc(const Tensor& self) {
  static const Op op("aten::trunc");
  return op({{"self", self}});
}
inline Tensor frac(const Tensor& self) {
  static const Op op("aten::frac");
  return op({{"self", self}});
}
inline Tensor isfinite(const Tensor& self) {
  static const Op op("aten::isfinite");
  return op({{"self", self}});
}
inline Tensor isnan(const Tensor& self) {
  static const Op op("aten::isnan");
  return op({{"self", self}});
}
inline Tensor isinf(const Tensor& self) {
  static const Op op("aten::isinf");
  return op({{"self", self}});
}
inline Tensor logical_not(const Tensor& self) {
  static const Op op("aten::logical_not");
  return op({{"self", self}});
}
inline Tensor bitwise_not(const Tensor& self) {
  static const Op op("aten::bitwise_not");
  return op({{"self", self}});
}
/// log(sigmoid(x)) without overflow.
inline Tensor logsigmoid(const Tensor& self) {
  static const Op op("aten::log_sigmoid");
  return op({{"self", self}});
}
inline Tensor softplus(const Tensor& self, Scalar beta = 1, Scalar threshold = 20) {
  static const Op op("aten::softplus");
  return op({{"self", self}, {"beta", beta}, {"threshold", threshold}});
}
/// -x log x, 0 at 0.
inline Tensor entr(const Tensor& self) {
  static const Op op("aten::special_entr");
  return op({{"self", self}});
}
/// NaN becomes `nan`; infinities become posinf and neginf, by default the dtype's largest and smallest value.
inline Tensor nan_to_num(const Tensor& self, double nan = 0.0, std::optional<double> posinf = {},
                         std::optional<double> neginf = {}) {
  static const Op op("aten::nan_to_num");
  return op({{"self", self}, {"nan", nan}, {"posinf", posinf}, {"neginf", neginf}});
}
inline Tensor clamp(const Tensor& self, Scalar min, Scalar max) {
  static const Op op("aten::clamp");
  return op({{"self", self}, {"min", min}, {"max", max}});
}
inline Tensor clamp(const Tensor& self, const Tensor& min, const Tensor& max) {
  static const Op op("aten::clamp", "Tensor");
  return op({{"self", self}, {"min", min}, {"max", max}});
}
inline Tensor clamp_min(const Tensor& self, Scalar min) {
  static const Op op("aten::clamp_min");
  return op({{"self", self}, {"min", min}});
}
inline Tensor clamp_min(const Tensor& self, const Tensor& min) {
  static const Op op("aten::clamp_min", "Tensor");
  return op({{"self", self}, {"min", min}});
}
inline Tensor clamp_max(const Tensor& self, Scalar max) {
  static const Op op("aten::clamp_max");
  return op({{"self", self}, {"max", max}});
}
inline Tensor clamp_max(const Tensor& self, const Tensor& max) {
  static const Op op("aten::clamp_max", "Tensor");
  return op({{"self", self}, {"max", max}});
}

// ---- functions of two tensors
inline Tensor maximum(const Tensor& self, const Tensor& other) {
  static const Op op("aten::maximum");
  return op({{"self", self}, {"other", other}});
}
inline Tensor minimum(const Tensor& self, const Tensor& other) {
  static const Op op("aten::minimum");
  return op({{"self", self}, {"other", other}});
}
inline Tensor atan2(const Tensor& self, const Tensor& other) {
  static const Op op("aten::atan2");
  return op({{"self", self}, {"other", other}});
}
inline Tensor hypot(const Tensor& self, const Tensor& other) {
  static const Op op("aten::hypot");
  return op({{"self", self}, {"other", other}});
}
/// log(exp(self) + exp(other)) without overflow.
inline Tensor logaddexp(const Tensor& self, const Tensor& other) {
  static const Op op("aten::logaddexp");
  return op({{"self", self}, {"other", other}});
}
/// self * log(other), 0 where self is 0.
inline Tensor xlogy(const Tensor& self, const Tensor& other) {
  static const Op op("aten::xlogy", "Tensor");
  return op({{"self", self}, {"other", other}});
}

// ---- comparisons (bool tensors). There is no operator==: write eq(a, b).
inline Tensor eq(const Tensor& self, const Tensor& other) {
  static const Op op("aten::eq", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor eq(const Tensor& self, Scalar other) {
  static const Op op("aten::eq", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor ne(const Tensor& self, const Tensor& other) {
  static const Op op("aten::ne", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor ne(const Tensor& self, Scalar other) {
  static const Op op("aten::ne", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor lt(const Tensor& self, const Tensor& other) {
  static const Op op("aten::lt", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor lt(const Tensor& self, Scalar other) {
  static const Op op("aten::lt", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor le(const Tensor& self, const Tensor& other) {
  static const Op op("aten::le", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor le(const Tensor& self, Scalar other) {
  static const Op op("aten::le", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor gt(const Tensor& self, const Tensor& other) {
  static const Op op("aten::gt", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor gt(const Tensor& self, Scalar other) {
  static const Op op("aten::gt", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor ge(const Tensor& self, const Tensor& other) {
  static const Op op("aten::ge", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor ge(const Tensor& self, Scalar other) {
  static const Op op("aten::ge", "Scalar");
  return op({{"self", self}, {"other", other}});
}

inline Tensor operator<(const Tensor& a, const Tensor& b) { return lt(a, b); }
inline Tensor operator<(const Tensor& a, Scalar b) { return lt(a, b); }
inline Tensor operator<(Scalar a, const Tensor& b) { return gt(b, a); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return le(a, b); }
inline Tensor operator<=(const Tensor& a, Scalar b) { return le(a, b); }
inline Tensor operator<=(Scalar a, const Tensor& b) { return ge(b, a); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return gt(a, b); }
inline Tensor operator>(const Tensor& a, Scalar b) { return gt(a, b); }
inline Tensor operator>(Scalar a, const Tensor& b) { return lt(b, a); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return ge(a, b); }
inline Tensor operator>=(const Tensor& a, Scalar b) { return ge(a, b); }
inline Tensor operator>=(Scalar a, const Tensor& b) { return le(b, a); }

// ---- logic and bits
inline Tensor logical_and(const Tensor& self, const Tensor& other) {
  static const Op op("aten::logical_and");
  return op({{"self", self}, {"other", other}});
}
inline Tensor logical_or(const Tensor& self, const Tensor& other) {
  static const Op op("aten::logical_or");
  return op({{"self", self}, {"other", other}});
}
inline Tensor logical_xor(const Tensor& self, const Tensor& other) {
  static const Op op("aten::logical_xor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor bitwise_and(const Tensor& self, const Tensor& other) {
  static const Op op("aten::bitwise_and", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor bitwise_and(const Tensor& self, Scalar other) {
  static const Op op("aten::bitwise_and", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor bitwise_or(const Tensor& self, const Tensor& other) {
  static const Op op("aten::bitwise_or", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor bitwise_or(const Tensor& self, Scalar other) {
  static const Op op("aten::bitwise_or", "Scalar");
  return op({{"self", self}, {"other", other}});
}
inline Tensor bitwise_xor(const Tensor& self, const Tensor& other) {
  static const Op op("aten::bitwise_xor", "Tensor");
  return op({{"self", self}, {"other", other}});
}
inline Tensor bitwise_xor(const Tensor& self, Scalar other) {
  static const Op op("aten::bitwise_xor", "Scalar");
  return op({{"self", self}, {"other", other}});
}

inline Tensor operator&(const Tensor& a, const Tensor& b) { return bitwise_and(a, b); }
inline Tensor operator|(const Tensor& a, const Tensor& b) { return bitwise_or(a, b); }
inline Tensor operator^(const Tensor& a, const Tensor& b) { return bitwise_xor(a, b); }
inline Tensor operator~(const Tensor& a) { return bitwise_not(a); }

/// self where condition holds, other elsewhere.
inline Tensor where(const Tensor& condition, const Tensor& self, const Tensor& other) {
  static const Op op("aten::where", "self");
  return op({{"condition", condition}, {"self", self}, {"other", other}});
}
inline Tensor where(const Tensor& condition, const Tensor& self, Scalar other) {
  static const Op op("aten::where", "ScalarOther");
  return op({{"condition", condition}, {"self", self}, {"other", other}});
}
inline Tensor where(const Tensor& condition, Scalar self, const Tensor& other) {
  static const Op op("aten::where", "ScalarSelf");
  return op({{"condition", condition}, {"self", self}, {"other", other}});
}
inline Tensor where(const Tensor& condition, Scalar self, Scalar other) {
  static const Op op("aten::where", "Scalar");
  return op({{"condition", condition}, {"self", self}, {"other", other}});
}

}  // namespace v1
}  // namespace kdhost
