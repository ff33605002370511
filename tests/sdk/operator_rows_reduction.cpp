// SPDX-License-Identifier: MIT
// Rows of operator_rows.hpp: sums, extremes, norms, running results, softmax.
#include "sdk/operator_rows.hpp"

namespace operator_rows {

void add_reduction_rows(Rows& rows) {
  add_row(rows, "sum", {N({3, 4})}, [](const auto& x) { return sum(x[0]); });
  add_row(rows, "sum dims", {N({2, 3, 4})}, [](const auto& x) { return sum(x[0], {0, 2}, true); });
  add_row(
      rows, "sum one dim", {N({2, 3, 4})}, [](const auto& x) { return at::sum(x[0], {1}); },
      [](const auto& x) { return kdhost::sum(x[0], 1); });
  add_row(
      rows, "sum to a dtype", {N({3, 4})}, [](const auto& x) { return at::sum(x[0], {1}, false, at::kFloat); },
      [](const auto& x) { return kdhost::sum(x[0], 1, false, kdhost::Dtype::f32); });
  add_row(
      rows, "sum all dims", {N({3, 4})}, [](const auto& x) { return at::sum(x[0], at::IntArrayRef{}); },
      [](const auto& x) { return kdhost::sum(x[0], {}); });
  add_row(rows, "sum of integers", {I(9, {3, 4})}, [](const auto& x) { return sum(x[0]); });
  add_row(rows, "mean", {N({3, 4})}, [](const auto& x) { return mean(x[0]); });
  add_row(rows, "mean dims", {N({2, 3, 4})}, [](const auto& x) { return mean(x[0], {1, 2}); });
  add_row(rows, "mean method", {N({2, 3, 4, 5})}, [](const auto& x) { return x[0].mean({2, 3}); });
  add_row(rows, "prod", {P({3, 4})}, [](const auto& x) { return prod(x[0]); });
  add_row(rows, "prod dim", {P({3, 4})}, [](const auto& x) { return prod(x[0], 1, true); });
  add_row(
      rows, "std", {N({3, 4})}, [](const auto& x) { return at::std(x[0]); },
      [](const auto& x) { return kdhost::std(x[0]); });
  add_row(
      rows, "std dims", {N({2, 3, 4})},
      [](const auto& x) {
        return at::std(x[0], at::OptionalIntArrayRef({0, 2}), at::Scalar(0), true);
      },
      [](const auto& x) {
        return kdhost::std(x[0], {0, 2}, 0, true);
      });
  add_row(
      rows, "var", {N({3, 4})}, [](const auto& x) { return at::var(x[0]); },
      [](const auto& x) { return kdhost::var(x[0]); });
  add_row(
      rows, "var dims", {N({2, 3, 4})},
      [](const auto& x) {
        return at::var(x[0], at::OptionalIntArrayRef({0, 2}), at::Scalar(0), true);
      },
      [](const auto& x) {
        return kdhost::var(x[0], {0, 2}, 0, true);
      });
  add_row(
      rows, "std_mean", {N({3, 4})},
      [](const auto& x) { return at::std_mean(x[0], at::OptionalIntArrayRef({1}), at::Scalar(1), false); },
      [](const auto& x) { return kdhost::std_mean(x[0], 1); });
  add_row(
      rows, "var_mean", {N({3, 4})},
      [](const auto& x) { return at::var_mean(x[0], at::OptionalIntArrayRef({1}), at::Scalar(1), false); },
      [](const auto& x) { return kdhost::var_mean(x[0], 1); });
  add_row(rows, "amax", {N({2, 3, 4})}, [](const auto& x) { return amax(x[0], {0, 2}, true); });
  add_row(rows, "amin", {N({2, 3, 4})}, [](const auto& x) { return amin(x[0], {0, 2}); });
  add_row(rows, "max", {N({3, 4})}, [](const auto& x) { return max(x[0]); });
  add_row(rows, "max dim", {N({3, 4})}, [](const auto& x) { return max(x[0], 1, true); });
  add_row(rows, "min", {N({3, 4})}, [](const auto& x) { return min(x[0]); });
  add_row(rows, "min dim", {N({3, 4})}, [](const auto& x) { return min(x[0], 0); });
  add_row(rows, "argmax", {N({3, 4})}, [](const auto& x) { return argmax(x[0]); });
  add_row(rows, "argmax dim", {N({3, 4})}, [](const auto& x) { return argmax(x[0], 1, true); });
  add_row(rows, "argmin", {N({3, 4})}, [](const auto& x) { return argmin(x[0]); });
  add_row(rows, "argmin dim", {N({3, 4})}, [](const auto& x) { return argmin(x[0], 1); });
  add_row(rows, "median", {N({3, 5})}, [](const auto& x) { return median(x[0]); });
  add_row(rows, "median dim", {N({3, 5})}, [](const auto& x) { return median(x[0], 1); });
  add_row(rows, "kthvalue", {N({3, 5})}, [](const auto& x) { return kthvalue(x[0], 2, 1); });
  add_row(rows, "logsumexp", {N({3, 4})}, [](const auto& x) { return logsumexp(x[0], 1, true); });
  add_row(rows, "any", {B({3, 4})}, [](const auto& x) { return any(x[0]); });
  add_row(rows, "any dim", {B({3, 4})}, [](const auto& x) { return any(x[0], 1); });
  add_row(rows, "all", {B({3, 4})}, [](const auto& x) { return all(x[0]); });
  add_row(rows, "all dim", {B({3, 4})}, [](const auto& x) { return all(x[0], 1); });
  add_row(rows, "count_nonzero", {I(2, {3, 4})}, [](const auto& x) { return count_nonzero(x[0]); });
  add_row(
      rows, "count_nonzero dims", {I(2, {3, 4})},
      [](const auto& x) { return at::count_nonzero(x[0], at::IntArrayRef{1}); },
      [](const auto& x) { return kdhost::count_nonzero(x[0], 1); });
  add_row(rows, "bincount", {I(5, {20})}, [](const auto& x) { return bincount(x[0], {}, 7); });
  add_row(rows, "norm", {N({3, 4})}, [](const auto& x) { return norm(x[0], 3); });
  add_row(
      rows, "norm dims", {N({2, 3, 4})},
      [](const auto& x) {
        return at::norm(x[0], 2, {1, 2}, true);
      },
      [](const auto& x) {
        return kdhost::norm(x[0], 2, {1, 2}, true);
      });
  add_row(
      rows, "vector_norm", {N({3, 4})}, [](const auto& x) { return at::linalg_vector_norm(x[0], 1); },
      [](const auto& x) { return kdhost::vector_norm(x[0], 1); });
  add_row(
      rows, "vector_norm dims", {N({2, 3, 4})},
      [](const auto& x) {
        return at::linalg_vector_norm(x[0], 2, at::OptionalIntArrayRef({1, 2}), true);
      },
      [](const auto& x) {
        return kdhost::vector_norm(x[0], 2, {1, 2}, true);
      });
  add_row(rows, "cumsum", {N({3, 4})}, [](const auto& x) { return cumsum(x[0], 1); });
  add_row(rows, "cumprod", {P({3, 4})}, [](const auto& x) { return cumprod(x[0], 1); });
  add_row(rows, "logcumsumexp", {N({3, 4})}, [](const auto& x) { return logcumsumexp(x[0], 1); });
  add_row(rows, "softmax", {N({3, 4})}, [](const auto& x) { return softmax(x[0], 1); });
  add_row(
      rows, "softmax in a dtype", {N({3, 4})}, [](const auto& x) { return at::softmax(x[0], 1, at::kFloat); },
      [](const auto& x) { return kdhost::softmax(x[0], 1, kdhost::Dtype::f32); });
  add_row(rows, "log_softmax", {N({3, 4})}, [](const auto& x) { return log_softmax(x[0], -1); });
}

}  // namespace operator_rows
