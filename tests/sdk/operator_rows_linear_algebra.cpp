// SPDX-License-Identifier: MIT
// Rows of operator_rows.hpp: products, decompositions, triangles and diagonals.
#include "sdk/operator_rows.hpp"

namespace operator_rows {
namespace {

// Singular and eigenvectors are known up to sign, and so are their gradients: what does not depend on it is compared.
at::Tensor svd_of(const std::tuple<at::Tensor, at::Tensor, at::Tensor>& r) {
  return at::matmul(std::get<0>(r) * std::get<1>(r), std::get<2>(r));
}
kdhost::Tensor svd_of(const kdhost::Svd& r) { return kdhost::matmul(r.u * r.s, r.vh); }
at::Tensor eigh_of(const std::tuple<at::Tensor, at::Tensor>& r) {
  return at::matmul(std::get<1>(r) * at::exp(std::get<0>(r)), std::get<1>(r).t());
}
kdhost::Tensor eigh_of(const kdhost::Eigh& r) {
  return kdhost::matmul(r.vectors * kdhost::exp(r.values), r.vectors.t());
}

}  // namespace

void add_linear_algebra_rows(Rows& rows) {
  add_row(rows, "matmul", {N({2, 3, 4}), N({4, 5})}, [](const auto& x) { return matmul(x[0], x[1]); });
  add_row(rows, "matmul method", {N({3, 4}), N({4, 5})}, [](const auto& x) { return x[0].matmul(x[1]); });
  add_row(rows, "mm", {N({3, 4}), N({4, 5})}, [](const auto& x) { return mm(x[0], x[1]); });
  add_row(rows, "bmm", {N({2, 3, 4}), N({2, 4, 5})}, [](const auto& x) { return bmm(x[0], x[1]); });
  add_row(rows, "mv", {N({3, 4}), N({4})}, [](const auto& x) { return mv(x[0], x[1]); });
  add_row(rows, "dot", {N({4}), N({4})}, [](const auto& x) { return dot(x[0], x[1]); });
  add_row(rows, "outer", {N({3}), N({4})}, [](const auto& x) { return outer(x[0], x[1]); });
  add_row(rows, "kron", {N({2, 3}), N({3, 2})}, [](const auto& x) { return kron(x[0], x[1]); });
  add_row(rows, "addmm", {N({3, 5}), N({3, 4}), N({4, 5})},
          [](const auto& x) { return addmm(x[0], x[1], x[2], 0.5, 2.0); });
  add_row(rows, "baddbmm", {N({2, 3, 5}), N({2, 3, 4}), N({2, 4, 5})},
          [](const auto& x) { return baddbmm(x[0], x[1], x[2], 0.5, 2.0); });
  add_row(
      rows, "einsum", {N({2, 3, 4}), N({2, 5, 4})},
      [](const auto& x) {
        return at::einsum("bij,bkj->bik", {x[0], x[1]});
      },
      [](const auto& x) {
        return kdhost::einsum("bij,bkj->bik", {x[0], x[1]});
      });
  add_row(rows, "linalg_svd", {N({4, 3})}, [](const auto& x) { return svd_of(linalg_svd(x[0], false)); });
  add_row(rows, "linalg_svdvals", {N({4, 3})}, [](const auto& x) { return linalg_svdvals(x[0]); });
  add_row(rows, "linalg_qr", {N({4, 3})}, [](const auto& x) { return linalg_qr(x[0]); });
  add_row(rows, "linalg_eigh", {S(4)}, [](const auto& x) { return eigh_of(linalg_eigh(x[0])); });
  add_row(rows, "linalg_eigvalsh", {S(4)}, [](const auto& x) { return linalg_eigvalsh(x[0]); });
  add_row(rows, "linalg_cholesky", {S(4)}, [](const auto& x) { return linalg_cholesky(x[0]); });
  add_row(rows, "linalg_solve", {S(4), N({4, 2})}, [](const auto& x) { return linalg_solve(x[0], x[1]); });
  add_row(rows, "linalg_solve_triangular", {S(4), N({4, 2})},
          [](const auto& x) { return linalg_solve_triangular(tril(x[0]), x[1], false); });
  add_row(rows, "linalg_inv", {S(4)}, [](const auto& x) { return linalg_inv(x[0]); });
  add_row(rows, "linalg_pinv", {N({4, 3})}, [](const auto& x) { return linalg_pinv(x[0], 1e-10); });
  add_row(rows, "linalg_det", {S(4)}, [](const auto& x) { return linalg_det(x[0]); });
  add_row(rows, "linalg_slogdet", {S(4)}, [](const auto& x) { return linalg_slogdet(x[0]); });
  add_row(rows, "linalg_matrix_power", {S(4)}, [](const auto& x) { return linalg_matrix_power(x[0], 3); });
  add_row(rows, "linalg_matrix_norm", {N({4, 3})}, [](const auto& x) { return linalg_matrix_norm(x[0], "nuc"); });
  add_row(rows, "triu", {N({4, 4})}, [](const auto& x) { return triu(x[0], 1); });
  add_row(rows, "tril", {N({4, 4})}, [](const auto& x) { return tril(x[0], -1); });
  add_row(rows, "diagonal", {N({2, 4, 4})}, [](const auto& x) { return diagonal(x[0], 1, 1, 2); });
  add_row(rows, "diag_embed", {N({2, 4})}, [](const auto& x) { return diag_embed(x[0]); });
  add_row(rows, "diag", {N({4, 4})}, [](const auto& x) { return diag(x[0]); });
  add_row(rows, "trace", {N({4, 4})}, [](const auto& x) { return trace(x[0]); });
  add_row(rows, "cdist", {N({3, 4}), N({5, 4})}, [](const auto& x) { return cdist(x[0], x[1]); });
  add_row(rows, "cdist without products", {N({30, 4}), N({26, 4})},
          [](const auto& x) { return cdist(x[0], x[1], 2.0, 2); });
}

}  // namespace operator_rows
