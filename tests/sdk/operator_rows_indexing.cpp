// SPDX-License-Identifier: MIT
// Rows of operator_rows.hpp: picking, scattering, masking, ordering.
#include "sdk/operator_rows.hpp"

#include <ATen/TensorIndexing.h>
#include <ATen/core/IListRef.h>

namespace operator_rows {

void add_indexing_rows(Rows& rows) {
  add_row(rows, "narrow", {N({5, 4})}, [](const auto& x) { return narrow(x[0], 0, 1, 3); });
  add_row(rows, "select", {N({5, 4})}, [](const auto& x) { return select(x[0], 1, 2); });
  add_row(rows, "slice", {N({9, 4})}, [](const auto& x) { return slice(x[0], 0, 1, 8, 2); });
  add_row(
      rows, "slice to the end", {N({9, 4})}, [](const auto& x) { return at::slice(x[0], 1, 2); },
      [](const auto& x) { return kdhost::slice(x[0], 1, 2); });
  add_row(rows, "index_select", {N({5, 4}), I(5, {3})}, [](const auto& x) { return index_select(x[0], 0, x[1]); });
  add_row(
      rows, "index", {N({5, 4}), I(5, {3}), I(4, {3})},
      [](const auto& x) {
        return at::index(x[0], {x[1], x[2]});
      },
      [](const auto& x) {
        return kdhost::index(x[0], {x[1], x[2]});
      });
  add_row(
      rows, "index with a whole dimension", {N({5, 4}), I(4, {3})},
      [](const auto& x) {
        return at::index(x[0], {std::nullopt, x[1]});
      },
      [](const auto& x) {
        return kdhost::index(x[0], {kdhost::Tensor(), x[1]});
      });
  add_row(
      rows, "index_put", {N({5, 4}), I(5, {3}), N({3, 4})},
      [](const auto& x) { return at::index_put(x[0], {x[1]}, x[2], true); },
      [](const auto& x) { return kdhost::index_put(x[0], {x[1]}, x[2], true); });
  add_row(rows, "index_add", {N({5, 4}), I(5, {3}), N({3, 4})},
          [](const auto& x) { return index_add(x[0], 0, x[1], x[2]); });
  add_row(rows, "index_copy", {N({5, 4}), I(1, {1}), N({1, 4})},
          [](const auto& x) { return index_copy(x[0], 0, x[1], x[2]); });
  add_row(rows, "index_fill", {N({5, 4}), I(5, {2})}, [](const auto& x) { return index_fill(x[0], 0, x[1], 0.5); });
  add_row(rows, "gather", {N({5, 4}), I(4, {5, 2})}, [](const auto& x) { return gather(x[0], 1, x[1]); });
  add_row(rows, "take_along_dim", {N({5, 4}), I(4, {5, 2})},
          [](const auto& x) { return take_along_dim(x[0], x[1], 1); });
  add_row(rows, "scatter", {N({5, 4}), I(1, {5, 1}), N({5, 1})},
          [](const auto& x) { return scatter(x[0], 1, x[1], x[2]); });
  add_row(rows, "scatter a number", {N({5, 4}), I(4, {5, 1})},
          [](const auto& x) { return scatter(x[0], 1, x[1], 0.5); });
  add_row(rows, "scatter_add", {N({5, 4}), I(4, {5, 2}), N({5, 2})},
          [](const auto& x) { return scatter_add(x[0], 1, x[1], x[2]); });
  add_row(rows, "scatter_reduce", {N({5, 4}), I(4, {5, 2}), N({5, 2})},
          [](const auto& x) { return scatter_reduce(x[0], 1, x[1], x[2], "mean", true); });
  add_row(rows, "masked_fill", {N({3, 4}), B({3, 4})}, [](const auto& x) { return masked_fill(x[0], x[1], 0.5); });
  add_row(rows, "masked_fill by a tensor", {N({3, 4}), B({3, 4}), N({})},
          [](const auto& x) { return masked_fill(x[0], x[1], x[2]); });
  add_row(rows, "masked_select", {N({3, 4}), B({3, 4})}, [](const auto& x) { return masked_select(x[0], x[1]); });
  add_row(rows, "nonzero", {I(2, {3, 4})}, [](const auto& x) { return nonzero(x[0]); });
  add_row(rows, "one_hot", {I(4, {6})}, [](const auto& x) { return one_hot(x[0], 5); });
  add_row(rows, "topk", {N({3, 9})}, [](const auto& x) { return topk(x[0], 3, 1); });
  add_row(
      rows, "sort", {N({3, 9})}, [](const auto& x) { return at::sort(x[0], true, 1, true); },
      [](const auto& x) { return kdhost::sort(x[0], 1, true); });
  add_row(
      rows, "argsort", {I(3, {20})}, [](const auto& x) { return at::argsort(x[0], true, 0, false); },
      [](const auto& x) { return kdhost::argsort(x[0], 0); });
  add_row(
      rows, "bucketize", {N({9})},
      [](const auto& x) { return at::bucketize(x[0], std::get<0>(at::sort(x[0])), false, true); },
      [](const auto& x) { return kdhost::bucketize(x[0], kdhost::sort(x[0]).values, true); });
  add_row(
      rows, "searchsorted", {N({9})}, [](const auto& x) { return at::searchsorted(std::get<0>(at::sort(x[0])), x[0]); },
      [](const auto& x) { return kdhost::searchsorted(kdhost::sort(x[0]).values, x[0]); });
}

}  // namespace operator_rows
