// SPDX-License-Identifier: MIT
// The table behind the test of <kdhost/ops.hpp>: one row calls one function of the SDK through the plugin boundary and
// LibTorch directly, on the same inputs. operator_rows_*.cpp fill it, operator_test.cpp runs it.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <kdhost/ops.hpp>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace operator_rows {

using AtTensors = std::vector<at::Tensor>;

// What a test program says about its host.
kdhost::Tensor to_sdk(const at::Tensor&);
at::Tensor from_sdk(const kdhost::Tensor&);
/// The generator that random rows draw from, on either side.
at::Generator& generator();
kdhost::Generator sdk_generator();

/// How one input is drawn; floating-point inputs are float64 and take part in the gradient check.
struct In {
  enum Kind { normal, positive, inside, integers, bools, spd, probabilities, log_probabilities };
  Kind kind;
  std::vector<std::int64_t> shape;
  std::int64_t high = 0;
};
inline In N(std::vector<std::int64_t> shape) { return {In::normal, std::move(shape)}; }
/// In (0.2, 1.2).
inline In P(std::vector<std::int64_t> shape) { return {In::positive, std::move(shape)}; }
/// In (-0.9, 0.9).
inline In U(std::vector<std::int64_t> shape) { return {In::inside, std::move(shape)}; }
inline In I(std::int64_t high, std::vector<std::int64_t> shape) { return {In::integers, std::move(shape), high}; }
inline In B(std::vector<std::int64_t> shape) { return {In::bools, std::move(shape)}; }
/// Symmetric, positive definite.
inline In S(std::int64_t n) { return {In::spd, {n, n}}; }
inline In Prob(std::vector<std::int64_t> shape) { return {In::probabilities, std::move(shape)}; }
inline In LogProb(std::vector<std::int64_t> shape) { return {In::log_probabilities, std::move(shape)}; }

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
  std::function<AtTensors(const AtTensors&)> direct, through_abi;
};
using Rows = std::vector<Row>;

template <class Direct, class Sdk>
void add_row(Rows& rows, std::string name, std::vector<In> inputs, Direct direct, Sdk sdk) {
  rows.push_back({std::move(name), std::move(inputs), [direct](const AtTensors& x) { return pack(direct(x)); },
                  [sdk](const AtTensors& x) {
                    kdhost::Tensors own;
                    for (const at::Tensor& t : x) own.push_back(to_sdk(t));
                    return pack(sdk(own));
                  }});
}
/// One expression for both sides: the call finds at::name or kdhost::name by the type of its tensors.
template <class Both>
void add_row(Rows& rows, std::string name, std::vector<In> inputs, Both both) {
  add_row(rows, std::move(name), std::move(inputs), both, both);
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
