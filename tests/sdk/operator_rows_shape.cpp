// SPDX-License-Identifier: MIT
// Rows of operator_rows.hpp: other shapes, orders, layouts and dtypes.
#include "sdk/operator_rows.hpp"

#include <ATen/TensorIndexing.h>
#include <ATen/core/IListRef.h>

namespace operator_rows {

void add_shape_rows(Rows& rows) {
  add_row(rows, "reshape", {N({3, 4})}, [](const auto& x) { return reshape(x[0], {2, 6}); });
  add_row(rows, "view", {N({3, 4})}, [](const auto& x) { return x[0].view({2, 6}); });
  add_row(rows, "flatten", {N({2, 3, 4})}, [](const auto& x) { return flatten(x[0], 1); });
  add_row(
      rows, "unflatten", {N({2, 6})},
      [](const auto& x) {
        return x[0].unflatten(1, {2, 3});
      },
      [](const auto& x) {
        return kdhost::unflatten(x[0], 1, {2, 3});
      });
  add_row(rows, "permute", {N({2, 3, 4})}, [](const auto& x) { return permute(x[0], {2, 0, 1}); });
  add_row(rows, "transpose", {N({2, 3, 4})}, [](const auto& x) { return transpose(x[0], 1, 2); });
  add_row(rows, "t", {N({3, 4})}, [](const auto& x) { return t(x[0]); });
  add_row(rows, "movedim", {N({2, 3, 4})}, [](const auto& x) { return movedim(x[0], 0, 2); });
  add_row(rows, "unsqueeze", {N({3, 4})}, [](const auto& x) { return unsqueeze(x[0], 1); });
  add_row(rows, "squeeze", {N({3, 1, 4, 1})}, [](const auto& x) { return squeeze(x[0]); });
  add_row(rows, "squeeze dim", {N({3, 1, 4, 1})}, [](const auto& x) { return squeeze(x[0], 1); });
  add_row(rows, "expand", {N({3, 1})}, [](const auto& x) { return x[0].expand({3, 4}); });
  add_row(
      rows, "expand_as", {N({3, 1}), N({3, 4})}, [](const auto& x) { return x[0].expand_as(x[1]); },
      [](const auto& x) { return kdhost::expand_as(x[0], x[1]); });
  add_row(rows, "broadcast_to", {N({3, 1})}, [](const auto& x) { return broadcast_to(x[0], {2, 3, 4}); });
  add_row(
      rows, "repeat", {N({3, 4})},
      [](const auto& x) {
        return x[0].repeat({2, 1, 3});
      },
      [](const auto& x) {
        return kdhost::repeat(x[0], {2, 1, 3});
      });
  add_row(rows, "repeat_interleave", {N({3, 4})}, [](const auto& x) { return repeat_interleave(x[0], 2, 1); });
  add_row(rows, "repeat_interleave by a tensor", {N({3, 4}), I(4, {3})},
          [](const auto& x) { return repeat_interleave(x[0], x[1], 0); });
  add_row(rows, "flip", {N({3, 4})}, [](const auto& x) { return flip(x[0], {0, 1}); });
  add_row(rows, "roll", {N({3, 4})}, [](const auto& x) { return roll(x[0], {1, 2}, {0, 1}); });
  add_row(
      rows, "cat", {N({3, 4}), N({2, 4})},
      [](const auto& x) {
        return at::cat({x[0], x[1]}, 0);
      },
      [](const auto& x) {
        return kdhost::cat({x[0], x[1]}, 0);
      });
  add_row(
      rows, "stack", {N({3, 4}), N({3, 4})},
      [](const auto& x) {
        return at::stack({x[0], x[1]}, 1);
      },
      [](const auto& x) {
        return kdhost::stack({x[0], x[1]}, 1);
      });
  add_row(rows, "split", {N({5, 4})}, [](const auto& x) { return split(x[0], 2); });
  add_row(rows, "split_with_sizes", {N({5, 4})}, [](const auto& x) { return split_with_sizes(x[0], {1, 4}); });
  add_row(rows, "chunk", {N({5, 4})}, [](const auto& x) { return chunk(x[0], 3); });
  add_row(rows, "unbind", {N({3, 4})}, [](const auto& x) { return unbind(x[0], 1); });
  add_row(rows, "contiguous", {N({3, 4})}, [](const auto& x) { return t(x[0]).contiguous(); });
  add_row(
      rows, "channels_last", {N({2, 3, 4, 5})},
      [](const auto& x) { return x[0].contiguous(at::MemoryFormat::ChannelsLast); },
      [](const auto& x) { return kdhost::channels_last(x[0]); });
  add_row(rows, "clone", {N({3, 4})}, [](const auto& x) { return clone(x[0]); });
  add_row(rows, "detach", {N({3, 4})}, [](const auto& x) { return detach(x[0]) * x[0]; });
  add_row(
      rows, "to", {N({3, 4})}, [](const auto& x) { return x[0].to(at::kFloat); },
      [](const auto& x) { return x[0].to(kdhost::Dtype::f32); });
  add_row(
      rows, "at_least_float32", {N({3, 4})}, [](const auto& x) { return x[0].to(at::kHalf).to(at::kFloat); },
      [](const auto& x) { return kdhost::at_least_float32(x[0].to(kdhost::Dtype::f16)); });
  add_row(
      rows, "to_cpu", {N({3, 4})}, [](const auto& x) { return x[0]; }, [](const auto& x) { return to_cpu(x[0]); });
}

}  // namespace operator_rows
