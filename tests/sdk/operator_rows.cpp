// SPDX-License-Identifier: MIT
// How the inputs of operator_rows.hpp are drawn.
#include "sdk/operator_rows.hpp"

#include <ATen/CPUGeneratorImpl.h>

namespace operator_rows {

at::Generator& generator() {
  static at::Generator g = at::make_generator<at::CPUGeneratorImpl>(1);
  return g;
}

kdhost::Tensors to_sdk(const AtTensors& list) {
  kdhost::Tensors own;
  for (const at::Tensor& t : list) own.push_back(to_sdk(t));
  return own;
}

at::Tensor draw(const In& in) {
  const auto f64 = at::TensorOptions(at::kDouble);
  at::Generator& g = generator();
  switch (in.kind) {
    case In::normal:
      return at::empty(in.shape.ref(), f64).normal_(0, 1, g);
    case In::positive:
      return at::empty(in.shape.ref(), f64).uniform_(0.2, 1.2, g);
    case In::inside:
      return at::empty(in.shape.ref(), f64).uniform_(-0.9, 0.9, g);
    case In::integers:
      return at::empty(in.shape.ref(), at::kLong).random_(0, in.high, g);
    case In::bools:
      return at::empty(in.shape.ref(), f64).uniform_(0, 1, g) > 0.5;
    case In::spd: {
      const at::Tensor a = at::empty(in.shape.ref(), f64).normal_(0, 1, g);
      return at::mm(a, a.t()) + 2.0 * at::eye(in.shape.sizes[0], f64);
    }
    case In::probabilities:
      return at::softmax(at::empty(in.shape.ref(), f64).normal_(0, 1, g), -1);
    case In::log_probabilities:
      return at::log_softmax(at::empty(in.shape.ref(), f64).normal_(0, 1, g), -1);
  }
  return {};
}

}  // namespace operator_rows
