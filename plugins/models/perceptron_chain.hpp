// SPDX-License-Identifier: MIT
//
// Linear layers with ReLU between them as one step of the gradient tape: forward and derivative written out. Of a small
// perceptron's time on a CPU, what lies between the matrix products is largely the tape's own work: a node for each
// product, transposition and ReLU. The products are those that the layers one by one would ask for.
#pragma once
#include <kdhost/plugin.hpp>

#include <vector>

namespace kdhost::plugins {

namespace chain_detail {

/// Inputs: x [N, D], then weight [out, in] and bias [out] of each layer.
struct Chain {
  bool input_learns = false;

  static Tensor weight(const Tensors& in, std::size_t layer) { return in[1 + 2 * layer]; }

  /// Keeps the inputs of all layers, and the weights behind the first.
  Tensor forward(const Tensors& in, Tensors& saved) const {
    const std::size_t layers = (in.size() - 1) / 2;
    Tensor x = in[0];
    for (std::size_t i = 0; i < layers; ++i) {
      saved.push_back(x);
      x = linear(x, weight(in, i), in[2 + 2 * i]);
      if (i + 1 < layers) x = relu_(x);
    }
    for (std::size_t i = input_learns ? 0 : 1; i < layers; ++i) saved.push_back(weight(in, i));
    return x;
  }

  Tensors backward(const Tensors& saved, const Tensor& grad) const {
    once_differentiable();
    static const Op relu_backward("aten::threshold_backward");
    const std::size_t layers = (saved.size() + (input_learns ? 0 : 1)) / 2;
    const std::size_t first_weight = input_learns ? 0 : 1;
    Tensors out(1 + 2 * layers);
    Tensor g = grad;
    for (std::size_t i = layers; i-- > 0;) {
      out[1 + 2 * i] = mm(g.t(), saved[i]);
      out[2 + 2 * i] = g.sum({0});
      if (i < first_weight) break;
      g = mm(g, saved[layers + i - first_weight]);
      if (i > 0) g = relu_backward({{"grad_output", g}, {"self", saved[i]}, {"threshold", 0.0}});
    }
    if (input_learns) out[0] = g;
    return out;
  }
};

}  // namespace chain_detail

/// The last layer's result [N, out] of x [N, D] through `layers`, ReLU between them. Its gradient can be taken once.
inline Tensor perceptron_chain(const Call& c, const std::vector<nn::Linear>& layers, const Tensor& x) {
  Tensors in{x};
  for (const nn::Linear& layer : layers) {
    in.push_back(c.part(layer.weight));
    in.push_back(c.part(layer.bias));
  }
  return custom_grad("kdhost.mlp", chain_detail::Chain{x.requires_grad()}, in);
}

}  // namespace kdhost::plugins
