// SPDX-License-Identifier: MIT
// Gradients through the graph that operators and plugins' own derivatives have built. Apart from the training code,
// so that it need not include LibTorch's heavy autograd headers.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace kdhost {

/// Adds d(sum of weights[i] * roots[i])/dp to the gradient of every leaf p that the roots depend on, in one pass; the
/// graph is freed. Throws c10::Error with the text of the operator or plugin that failed.
/// @param roots    scalars that require a gradient
/// @param weights  as many scalars of the same dtypes
void add_gradients(const std::vector<at::Tensor>& roots, const std::vector<at::Tensor>& weights);

/// d(value)/d(input) of each input, undefined where there is no path; nothing is added to any leaf, the graph is kept.
std::vector<at::Tensor> gradients_of(const at::Tensor& value, const std::vector<at::Tensor>& inputs);

}  // namespace kdhost
