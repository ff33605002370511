// SPDX-License-Identifier: MIT
// Several views of a sample. "embedding@weak" is the tap "embedding" of a forward in which the model sees the field
// "weak" of the batch in place of "input"; a transform wrote that field. One with a dimension more than the input holds
// several views of each sample: its rows become samples, those of one sample side by side. Part of steps 5 and 6 in the
// life of a batch.
#pragma once

#include <functional>
#include <string_view>

#include "data/batch.hpp"
#include "tensor/component_call.hpp"

namespace kdhost {

/// "embedding@weak" taken apart; `view` is empty where the name has none.
struct ViewedTap {
  std::string_view tap;
  std::string_view view;
};
ViewedTap viewed_tap(std::string_view name);

/// Whether something is wanted of another view than the batch as it is.
bool wants_views(const Wants& wants);

/// How many rows of `view` [N, ...] or [N, V, ...] stand for one of `input`: 1 or V; 0 where the shapes do not fit.
int64_t rows_of_view(const at::Tensor& input, const at::Tensor& view);

/// What a model does with a batch: fills `out` with what is wanted.
using Forward = std::function<void(const Batch& batch, const Wants& wants, Outputs& out)>;

/// One forward for what is wanted of the batch as it is, and one for each view that something is wanted of; `out` gets
/// all under the names that were asked for. `inputs`: the fields that the model reads.
void forward_views(const Inputs& inputs, const Batch& batch, const Wants& wants, Outputs& out, const Forward& forward);

}  // namespace kdhost
