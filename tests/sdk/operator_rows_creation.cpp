// SPDX-License-Identifier: MIT
// Rows of operator_rows.hpp: new tensors and random draws.
#include "sdk/operator_rows.hpp"

namespace operator_rows {

void add_creation_rows(Rows& rows) {
  add_row(
      rows, "zeros", {},
      [](const auto&) {
        return at::zeros({2, 3}, at::kDouble);
      },
      [](const auto&) {
        return kdhost::zeros({2, 3}, kdhost::Dtype::f64);
      });
  add_row(
      rows, "zeros like", {N({4})},
      [](const auto& x) {
        return x[0].new_zeros({2, 3});
      },
      [](const auto& x) {
        return kdhost::zeros({2, 3}, x[0]);
      });
  add_row(
      rows, "ones", {},
      [](const auto&) {
        return at::ones({2, 3});
      },
      [](const auto&) {
        return kdhost::ones({2, 3});
      });
  add_row(
      rows, "ones like", {N({4})},
      [](const auto& x) {
        return x[0].new_ones({2, 3});
      },
      [](const auto& x) {
        return kdhost::ones({2, 3}, x[0]);
      });
  add_row(
      rows, "full", {}, [](const auto&) { return at::full({2}, 7, at::kLong); },
      [](const auto&) { return kdhost::full({2}, 7, kdhost::Dtype::i64); });
  add_row(
      rows, "full like", {N({4})}, [](const auto& x) { return x[0].new_full({2}, 0.5); },
      [](const auto& x) { return kdhost::full({2}, 0.5, x[0]); });
  add_row(rows, "zeros_like", {N({4})}, [](const auto& x) { return zeros_like(x[0]); });
  add_row(rows, "ones_like", {N({4})}, [](const auto& x) { return ones_like(x[0]); });
  add_row(rows, "full_like", {N({4})}, [](const auto& x) { return full_like(x[0], 0.5); });
  add_row(rows, "empty_like", {N({4})}, [](const auto& x) { return zeros_like(empty_like(x[0])); });
  add_row(
      rows, "arange", {}, [](const auto&) { return at::arange(2, 9, 3); },
      [](const auto&) { return kdhost::arange(2, 9, 3); });
  add_row(
      rows, "arange from 0", {N({4})}, [](const auto&) { return at::arange(5, at::kDouble); },
      [](const auto& x) { return kdhost::arange(5, kdhost::Dtype::f64, x[0]); });
  add_row(
      rows, "linspace", {}, [](const auto&) { return at::linspace(0.0, 1.0, 7); },
      [](const auto&) { return kdhost::linspace(0.0, 1.0, 7); });
  add_row(
      rows, "eye", {}, [](const auto&) { return at::eye(3); }, [](const auto&) { return kdhost::eye(3); });
  add_row(
      rows, "rand", {}, [](const auto&) { return at::empty({5}).uniform_(0, 1, generator()); },
      [](const auto&) { return kdhost::rand({5}, sdk_generator()); });
  add_row(
      rows, "randn", {}, [](const auto&) { return at::empty({50}).normal_(0, 1, generator()); },
      [](const auto&) { return kdhost::randn({50}, sdk_generator()); });
  add_row(
      rows, "rand_like", {N({5})}, [](const auto& x) { return at::empty_like(x[0]).uniform_(0, 1, generator()); },
      [](const auto& x) { return kdhost::rand_like(x[0].detach(), sdk_generator()); });
  add_row(
      rows, "randn_like", {N({5})}, [](const auto& x) { return at::empty_like(x[0]).normal_(0, 1, generator()); },
      [](const auto& x) { return kdhost::randn_like(x[0].detach(), sdk_generator()); });
  add_row(
      rows, "randint", {}, [](const auto&) { return at::empty({50}, at::kLong).random_(-3, 9, generator()); },
      [](const auto&) { return kdhost::randint(-3, 9, {50}, sdk_generator()); });
  add_row(
      rows, "randperm", {}, [](const auto&) { return at::randperm(20, generator()); },
      [](const auto&) { return kdhost::randperm(20, sdk_generator()); });
  add_row(
      rows, "bernoulli", {Prob({5, 4})}, [](const auto& x) { return at::bernoulli(x[0].detach(), generator()); },
      [](const auto& x) { return kdhost::bernoulli(x[0].detach(), sdk_generator()); });
  add_row(
      rows, "multinomial", {Prob({5, 4})},
      [](const auto& x) { return at::multinomial(x[0].detach(), 3, true, generator()); },
      [](const auto& x) { return kdhost::multinomial(x[0].detach(), 3, true, sdk_generator()); });
}

}  // namespace operator_rows
