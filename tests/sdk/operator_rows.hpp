// SPDX-License-Identifier: MIT
// The table behind the test of <kdhost/ops.hpp>: one row calls one function of the SDK through the plugin boundary and
// LibTorch directly, on the same inputs. operator_rows_*.cpp fill it, operator_test.cpp runs it.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <kdhost/ops.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tensor/aten.hpp"

namespace operator_rows {

using AtTensors = std::vector<at::Tensor>;

// What a test program says about its host.
kdhost::Tensor to_sdk(const at::Tensor&);
at::Tensor from_sdk(const kdhost::Tensor&);
/// The generator that random rows draw from, on either side.
at::Generator& generator();
kdhost::Generator sdk_generator();

/// The sizes of an input, at most five of them. A literal, as all that a row is made of: with hundreds of rows in a
/// function, every destructor would cost the compiler time.
struct Shape {
  constexpr Shape(std::initializer_list<std::int64_t> list) {
    for (const std::int64_t size : list) sizes[dims++] = size;
  }
  at::IntArrayRef ref() const { return {sizes.data(), dims}; }
  std::array<std::int64_t, 5> sizes{};
  std::size_t dims = 0;
};

/// How one input is drawn; floating-point inputs are float64 and take part in the gradient check.
struct In {
  enum Kind { normal, positive, inside, integers, bools, spd, probabilities, log_probabilities };
  Kind kind;
  Shape shape;
  std::int64_t high = 0;
};
constexpr In N(Shape shape) { return {In::normal, shape}; }
/// In (0.2, 1.2).
constexpr In P(Shape shape) { return {In::positive, shape}; }
/// In (-0.9, 0.9).
constexpr In U(Shape shape) { return {In::inside, shape}; }
constexpr In I(std::int64_t high, Shape shape) { return {In::integers, shape, high}; }
constexpr In B(Shape shape) { return {In::bools, shape}; }
/// Symmetric, positive definite.
constexpr In S(std::int64_t n) { return {In::spd, {n, n}}; }
constexpr In Prob(Shape shape) { return {In::probabilities, shape}; }
constexpr In LogProb(Shape shape) { return {In::log_probabilities, shape}; }

/// Draws one input from generator().
at::Tensor draw(const In&);

/// Results of every form as one list.
inline AtTensors from_sdk(const kdhost::Tensors& list) {
  AtTensors out;
  for (const kdhost::Tensor& t : list) out.push_back(from_sdk(t));
  return out;
}
inline AtTensors pack(const at::Tensor& t) { return {t}; }
inline AtTensors pack(AtTensors list) { return list; }
inline AtTensors pack(const std::tuple<at::Tensor, at::Tensor>& t) { return {std::get<0>(t), std::get<1>(t)}; }
inline AtTensors pack(const std::tuple<at::Tensor, at::Tensor, at::Tensor>& t) {
  return {std::get<0>(t), std::get<1>(t), std::get<2>(t)};
}
inline AtTensors pack(const kdhost::Tensor& t) { return {from_sdk(t)}; }
inline AtTensors pack(const kdhost::Tensors& list) { return from_sdk(list); }
inline AtTensors pack(const kdhost::ValuesIndices& r) { return from_sdk(kdhost::Tensors{r.values, r.indices}); }
inline AtTensors pack(const kdhost::StdMean& r) { return from_sdk(kdhost::Tensors{r.std, r.mean}); }
inline AtTensors pack(const kdhost::VarMean& r) { return from_sdk(kdhost::Tensors{r.var, r.mean}); }
inline AtTensors pack(const kdhost::Svd& r) { return from_sdk(kdhost::Tensors{r.u, r.s, r.vh}); }
inline AtTensors pack(const kdhost::Qr& r) { return from_sdk(kdhost::Tensors{r.q, r.r}); }
inline AtTensors pack(const kdhost::Eigh& r) { return from_sdk(kdhost::Tensors{r.values, r.vectors}); }
inline AtTensors pack(const kdhost::SignLogDet& r) { return from_sdk(kdhost::Tensors{r.sign, r.logabsdet}); }
inline AtTensors pack(const kdhost::LstmResult& r) { return from_sdk(kdhost::Tensors{r.output, r.h, r.c}); }
inline AtTensors pack(const kdhost::GruResult& r) { return from_sdk(kdhost::Tensors{r.output, r.h}); }

struct Row {
  std::string name;
  std::vector<In> inputs;
  AtTensors (*direct)(const AtTensors&);
  AtTensors (*through_abi)(const kdhost::Tensors&);
};
using Rows = std::vector<Row>;

/// The inputs as the SDK sees them.
kdhost::Tensors to_sdk(const AtTensors&);

/// Direct and Sdk are lambdas without captures.
template <class Direct, class Sdk>
void add_row(Rows& rows, const char* name, std::initializer_list<In> inputs, Direct, Sdk) {
  rows.push_back({name, inputs, [](const AtTensors& x) { return pack(Direct{}(x)); },
                  [](const kdhost::Tensors& x) { return pack(Sdk{}(x)); }});
}
/// One expression for both sides: the call finds at::name or kdhost::name by the type of its tensors.
template <class Both>
void add_row(Rows& rows, const char* name, std::initializer_list<In> inputs, Both both) {
  add_row(rows, name, inputs, both, both);
}

void add_pointwise_rows(Rows&);
void add_reduction_rows(Rows&);
void add_linear_algebra_rows(Rows&);
void add_shape_rows(Rows&);
void add_indexing_rows(Rows&);
void add_loss_rows(Rows&);
void add_network_rows(Rows&);
void add_creation_rows(Rows&);

}  // namespace operator_rows
