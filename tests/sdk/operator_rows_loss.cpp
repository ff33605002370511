// SPDX-License-Identifier: MIT
// Rows of operator_rows.hpp: loss functions with every reduction.
#include "sdk/operator_rows.hpp"

namespace operator_rows {

void add_loss_rows(Rows& rows) {
  add_row(
      rows, "kl_div none", {LogProb({3, 4}), Prob({3, 4})},
      [](const auto& x) { return at::kl_div(x[0], x[1], at::Reduction::None); },
      [](const auto& x) { return kdhost::kl_div(x[0], x[1], kdhost::Reduction::none); });
  add_row(
      rows, "kl_div mean", {LogProb({3, 4}), Prob({3, 4})},
      [](const auto& x) { return at::kl_div(x[0], x[1], at::Reduction::Mean); },
      [](const auto& x) { return kdhost::kl_div(x[0], x[1], kdhost::Reduction::mean); });
  add_row(
      rows, "kl_div sum", {LogProb({3, 4}), Prob({3, 4})},
      [](const auto& x) { return at::kl_div(x[0], x[1], at::Reduction::Sum); },
      [](const auto& x) { return kdhost::kl_div(x[0], x[1], kdhost::Reduction::sum); });
  add_row(
      rows, "kl_div batchmean", {LogProb({3, 4}), Prob({3, 4})},
      [](const auto& x) { return at::kl_div(x[0], x[1], at::Reduction::Sum) / static_cast<double>(x[0].size(0)); },
      [](const auto& x) { return kdhost::kl_div(x[0], x[1], kdhost::Reduction::batchmean); });
  add_row(
      rows, "kl_div of logarithms", {LogProb({3, 4}), LogProb({3, 4})},
      [](const auto& x) { return at::kl_div(x[0], x[1], at::Reduction::Mean, true); },
      [](const auto& x) { return kdhost::kl_div(x[0], x[1], kdhost::Reduction::mean, true); });
  add_row(
      rows, "cross_entropy none", {N({3, 4}), I(4, {3})},
      [](const auto& x) { return at::cross_entropy_loss(x[0], x[1], {}, at::Reduction::None, -100, 0.1); },
      [](const auto& x) { return kdhost::cross_entropy(x[0], x[1], {}, kdhost::Reduction::none, -100, 0.1); });
  add_row(
      rows, "cross_entropy mean", {N({3, 4}), I(4, {3})},
      [](const auto& x) { return at::cross_entropy_loss(x[0], x[1], {}, at::Reduction::Mean, -100, 0.1); },
      [](const auto& x) { return kdhost::cross_entropy(x[0], x[1], {}, kdhost::Reduction::mean, -100, 0.1); });
  add_row(
      rows, "cross_entropy sum", {N({3, 4}), I(4, {3})},
      [](const auto& x) { return at::cross_entropy_loss(x[0], x[1], {}, at::Reduction::Sum, -100, 0.1); },
      [](const auto& x) { return kdhost::cross_entropy(x[0], x[1], {}, kdhost::Reduction::sum, -100, 0.1); });
  add_row(
      rows, "cross_entropy batchmean", {N({3, 4}), I(4, {3})},
      [](const auto& x) {
        return at::cross_entropy_loss(x[0], x[1], {}, at::Reduction::Sum, -100, 0.1) /
               static_cast<double>(x[0].size(0));
      },
      [](const auto& x) { return kdhost::cross_entropy(x[0], x[1], {}, kdhost::Reduction::batchmean, -100, 0.1); });
  add_row(
      rows, "cross_entropy short form", {N({3, 4}), Prob({3, 4})},
      [](const auto& x) { return at::cross_entropy_loss(x[0], x[1], {}, at::Reduction::Sum, -100, 0.2); },
      [](const auto& x) { return kdhost::cross_entropy(x[0], x[1], kdhost::Reduction::sum, 0.2); });
  add_row(
      rows, "nll_loss none", {LogProb({3, 4}), I(4, {3}), P({4})},
      [](const auto& x) { return at::nll_loss_nd(x[0], x[1], x[2].detach(), at::Reduction::None, 2); },
      [](const auto& x) { return kdhost::nll_loss(x[0], x[1], x[2].detach(), kdhost::Reduction::none, 2); });
  add_row(
      rows, "nll_loss mean", {LogProb({3, 4}), I(4, {3}), P({4})},
      [](const auto& x) { return at::nll_loss_nd(x[0], x[1], x[2].detach(), at::Reduction::Mean, 2); },
      [](const auto& x) { return kdhost::nll_loss(x[0], x[1], x[2].detach(), kdhost::Reduction::mean, 2); });
  add_row(
      rows, "nll_loss sum", {LogProb({3, 4}), I(4, {3}), P({4})},
      [](const auto& x) { return at::nll_loss_nd(x[0], x[1], x[2].detach(), at::Reduction::Sum, 2); },
      [](const auto& x) { return kdhost::nll_loss(x[0], x[1], x[2].detach(), kdhost::Reduction::sum, 2); });
  add_row(
      rows, "nll_loss batchmean", {LogProb({3, 4}), I(4, {3}), P({4})},
      [](const auto& x) {
        return at::nll_loss_nd(x[0], x[1], x[2].detach(), at::Reduction::Sum, 2) / static_cast<double>(x[0].size(0));
      },
      [](const auto& x) { return kdhost::nll_loss(x[0], x[1], x[2].detach(), kdhost::Reduction::batchmean, 2); });
  add_row(
      rows, "nll_loss short form", {LogProb({3, 4}), I(4, {3})},
      [](const auto& x) { return at::nll_loss_nd(x[0], x[1], {}, at::Reduction::Sum); },
      [](const auto& x) { return kdhost::nll_loss(x[0], x[1], kdhost::Reduction::sum); });
  add_row(
      rows, "mse_loss none", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::mse_loss(x[0], x[1], at::Reduction::None); },
      [](const auto& x) { return kdhost::mse_loss(x[0], x[1], kdhost::Reduction::none); });
  add_row(
      rows, "mse_loss mean", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::mse_loss(x[0], x[1], at::Reduction::Mean); },
      [](const auto& x) { return kdhost::mse_loss(x[0], x[1], kdhost::Reduction::mean); });
  add_row(
      rows, "mse_loss sum", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::mse_loss(x[0], x[1], at::Reduction::Sum); },
      [](const auto& x) { return kdhost::mse_loss(x[0], x[1], kdhost::Reduction::sum); });
  add_row(
      rows, "mse_loss batchmean", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::mse_loss(x[0], x[1], at::Reduction::Sum) / static_cast<double>(x[0].size(0)); },
      [](const auto& x) { return kdhost::mse_loss(x[0], x[1], kdhost::Reduction::batchmean); });
  add_row(
      rows, "l1_loss none", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::l1_loss(x[0], x[1], at::Reduction::None); },
      [](const auto& x) { return kdhost::l1_loss(x[0], x[1], kdhost::Reduction::none); });
  add_row(
      rows, "l1_loss mean", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::l1_loss(x[0], x[1], at::Reduction::Mean); },
      [](const auto& x) { return kdhost::l1_loss(x[0], x[1], kdhost::Reduction::mean); });
  add_row(
      rows, "l1_loss sum", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::l1_loss(x[0], x[1], at::Reduction::Sum); },
      [](const auto& x) { return kdhost::l1_loss(x[0], x[1], kdhost::Reduction::sum); });
  add_row(
      rows, "l1_loss batchmean", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::l1_loss(x[0], x[1], at::Reduction::Sum) / static_cast<double>(x[0].size(0)); },
      [](const auto& x) { return kdhost::l1_loss(x[0], x[1], kdhost::Reduction::batchmean); });
  add_row(
      rows, "smooth_l1_loss none", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::smooth_l1_loss(x[0], x[1], at::Reduction::None, 0.5); },
      [](const auto& x) { return kdhost::smooth_l1_loss(x[0], x[1], kdhost::Reduction::none, 0.5); });
  add_row(
      rows, "smooth_l1_loss mean", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::smooth_l1_loss(x[0], x[1], at::Reduction::Mean, 0.5); },
      [](const auto& x) { return kdhost::smooth_l1_loss(x[0], x[1], kdhost::Reduction::mean, 0.5); });
  add_row(
      rows, "smooth_l1_loss sum", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::smooth_l1_loss(x[0], x[1], at::Reduction::Sum, 0.5); },
      [](const auto& x) { return kdhost::smooth_l1_loss(x[0], x[1], kdhost::Reduction::sum, 0.5); });
  add_row(
      rows, "smooth_l1_loss batchmean", {N({3, 4}), N({3, 4})},
      [](const auto& x) {
        return at::smooth_l1_loss(x[0], x[1], at::Reduction::Sum, 0.5) / static_cast<double>(x[0].size(0));
      },
      [](const auto& x) { return kdhost::smooth_l1_loss(x[0], x[1], kdhost::Reduction::batchmean, 0.5); });
  add_row(
      rows, "huber_loss none", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::huber_loss(x[0], x[1], at::Reduction::None, 0.5); },
      [](const auto& x) { return kdhost::huber_loss(x[0], x[1], kdhost::Reduction::none, 0.5); });
  add_row(
      rows, "huber_loss mean", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::huber_loss(x[0], x[1], at::Reduction::Mean, 0.5); },
      [](const auto& x) { return kdhost::huber_loss(x[0], x[1], kdhost::Reduction::mean, 0.5); });
  add_row(
      rows, "huber_loss sum", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::huber_loss(x[0], x[1], at::Reduction::Sum, 0.5); },
      [](const auto& x) { return kdhost::huber_loss(x[0], x[1], kdhost::Reduction::sum, 0.5); });
  add_row(
      rows, "huber_loss batchmean", {N({3, 4}), N({3, 4})},
      [](const auto& x) {
        return at::huber_loss(x[0], x[1], at::Reduction::Sum, 0.5) / static_cast<double>(x[0].size(0));
      },
      [](const auto& x) { return kdhost::huber_loss(x[0], x[1], kdhost::Reduction::batchmean, 0.5); });
  add_row(
      rows, "binary_cross_entropy none", {Prob({3, 4}), Prob({3, 4})},
      [](const auto& x) { return at::binary_cross_entropy(x[0], x[1].detach(), {}, at::Reduction::None); },
      [](const auto& x) { return kdhost::binary_cross_entropy(x[0], x[1].detach(), {}, kdhost::Reduction::none); });
  add_row(
      rows, "binary_cross_entropy mean", {Prob({3, 4}), Prob({3, 4})},
      [](const auto& x) { return at::binary_cross_entropy(x[0], x[1].detach(), {}, at::Reduction::Mean); },
      [](const auto& x) { return kdhost::binary_cross_entropy(x[0], x[1].detach(), {}, kdhost::Reduction::mean); });
  add_row(
      rows, "binary_cross_entropy sum", {Prob({3, 4}), Prob({3, 4})},
      [](const auto& x) { return at::binary_cross_entropy(x[0], x[1].detach(), {}, at::Reduction::Sum); },
      [](const auto& x) { return kdhost::binary_cross_entropy(x[0], x[1].detach(), {}, kdhost::Reduction::sum); });
  add_row(
      rows, "binary_cross_entropy batchmean", {Prob({3, 4}), Prob({3, 4})},
      [](const auto& x) {
        return at::binary_cross_entropy(x[0], x[1].detach(), {}, at::Reduction::Sum) /
               static_cast<double>(x[0].size(0));
      },
      [](const auto& x) {
        return kdhost::binary_cross_entropy(x[0], x[1].detach(), {}, kdhost::Reduction::batchmean);
      });
  add_row(
      rows, "binary_cross_entropy_with_logits none", {N({3, 4}), Prob({3, 4}), P({4})},
      [](const auto& x) {
        return at::binary_cross_entropy_with_logits(x[0], x[1], {}, x[2].detach(), at::Reduction::None);
      },
      [](const auto& x) {
        return kdhost::binary_cross_entropy_with_logits(x[0], x[1], {}, x[2].detach(), kdhost::Reduction::none);
      });
  add_row(
      rows, "binary_cross_entropy_with_logits mean", {N({3, 4}), Prob({3, 4}), P({4})},
      [](const auto& x) {
        return at::binary_cross_entropy_with_logits(x[0], x[1], {}, x[2].detach(), at::Reduction::Mean);
      },
      [](const auto& x) {
        return kdhost::binary_cross_entropy_with_logits(x[0], x[1], {}, x[2].detach(), kdhost::Reduction::mean);
      });
  add_row(
      rows, "binary_cross_entropy_with_logits sum", {N({3, 4}), Prob({3, 4}), P({4})},
      [](const auto& x) {
        return at::binary_cross_entropy_with_logits(x[0], x[1], {}, x[2].detach(), at::Reduction::Sum);
      },
      [](const auto& x) {
        return kdhost::binary_cross_entropy_with_logits(x[0], x[1], {}, x[2].detach(), kdhost::Reduction::sum);
      });
  add_row(
      rows, "binary_cross_entropy_with_logits batchmean", {N({3, 4}), Prob({3, 4}), P({4})},
      [](const auto& x) {
        return at::binary_cross_entropy_with_logits(x[0], x[1], {}, x[2].detach(), at::Reduction::Sum) /
               static_cast<double>(x[0].size(0));
      },
      [](const auto& x) {
        return kdhost::binary_cross_entropy_with_logits(x[0], x[1], {}, x[2].detach(), kdhost::Reduction::batchmean);
      });
  add_row(
      rows, "soft_margin_loss none", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::soft_margin_loss(x[0], x[1].detach(), at::Reduction::None); },
      [](const auto& x) { return kdhost::soft_margin_loss(x[0], x[1].detach(), kdhost::Reduction::none); });
  add_row(
      rows, "soft_margin_loss mean", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::soft_margin_loss(x[0], x[1].detach(), at::Reduction::Mean); },
      [](const auto& x) { return kdhost::soft_margin_loss(x[0], x[1].detach(), kdhost::Reduction::mean); });
  add_row(
      rows, "soft_margin_loss sum", {N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::soft_margin_loss(x[0], x[1].detach(), at::Reduction::Sum); },
      [](const auto& x) { return kdhost::soft_margin_loss(x[0], x[1].detach(), kdhost::Reduction::sum); });
  add_row(
      rows, "soft_margin_loss batchmean", {N({3, 4}), N({3, 4})},
      [](const auto& x) {
        return at::soft_margin_loss(x[0], x[1].detach(), at::Reduction::Sum) / static_cast<double>(x[0].size(0));
      },
      [](const auto& x) { return kdhost::soft_margin_loss(x[0], x[1].detach(), kdhost::Reduction::batchmean); });
  add_row(
      rows, "margin_ranking_loss none", {N({5}), N({5}), N({5})},
      [](const auto& x) { return at::margin_ranking_loss(x[0], x[1], x[2], 0.5, at::Reduction::None); },
      [](const auto& x) { return kdhost::margin_ranking_loss(x[0], x[1], x[2], 0.5, kdhost::Reduction::none); });
  add_row(
      rows, "margin_ranking_loss mean", {N({5}), N({5}), N({5})},
      [](const auto& x) { return at::margin_ranking_loss(x[0], x[1], x[2], 0.5, at::Reduction::Mean); },
      [](const auto& x) { return kdhost::margin_ranking_loss(x[0], x[1], x[2], 0.5, kdhost::Reduction::mean); });
  add_row(
      rows, "margin_ranking_loss sum", {N({5}), N({5}), N({5})},
      [](const auto& x) { return at::margin_ranking_loss(x[0], x[1], x[2], 0.5, at::Reduction::Sum); },
      [](const auto& x) { return kdhost::margin_ranking_loss(x[0], x[1], x[2], 0.5, kdhost::Reduction::sum); });
  add_row(
      rows, "margin_ranking_loss batchmean", {N({5}), N({5}), N({5})},
      [](const auto& x) {
        return at::margin_ranking_loss(x[0], x[1], x[2], 0.5, at::Reduction::Sum) / static_cast<double>(x[0].size(0));
      },
      [](const auto& x) { return kdhost::margin_ranking_loss(x[0], x[1], x[2], 0.5, kdhost::Reduction::batchmean); });
  add_row(
      rows, "triplet_margin_loss none", {N({3, 4}), N({3, 4}), N({3, 4})},
      [](const auto& x) {
        return at::triplet_margin_loss(x[0], x[1], x[2], 1.5, 2.0, 1e-6, true, at::Reduction::None);
      },
      [](const auto& x) {
        return kdhost::triplet_margin_loss(x[0], x[1], x[2], 1.5, 2.0, 1e-6, true, kdhost::Reduction::none);
      });
  add_row(
      rows, "triplet_margin_loss mean", {N({3, 4}), N({3, 4}), N({3, 4})},
      [](const auto& x) {
        return at::triplet_margin_loss(x[0], x[1], x[2], 1.5, 2.0, 1e-6, true, at::Reduction::Mean);
      },
      [](const auto& x) {
        return kdhost::triplet_margin_loss(x[0], x[1], x[2], 1.5, 2.0, 1e-6, true, kdhost::Reduction::mean);
      });
  add_row(
      rows, "triplet_margin_loss sum", {N({3, 4}), N({3, 4}), N({3, 4})},
      [](const auto& x) { return at::triplet_margin_loss(x[0], x[1], x[2], 1.5, 2.0, 1e-6, true, at::Reduction::Sum); },
      [](const auto& x) {
        return kdhost::triplet_margin_loss(x[0], x[1], x[2], 1.5, 2.0, 1e-6, true, kdhost::Reduction::sum);
      });
  add_row(
      rows, "triplet_margin_loss batchmean", {N({3, 4}), N({3, 4}), N({3, 4})},
      [](const auto& x) {
        return at::triplet_margin_loss(x[0], x[1], x[2], 1.5, 2.0, 1e-6, true, at::Reduction::Sum) /
               static_cast<double>(x[0].size(0));
      },
      [](const auto& x) {
        return kdhost::triplet_margin_loss(x[0], x[1], x[2], 1.5, 2.0, 1e-6, true, kdhost::Reduction::batchmean);
      });
  add_row(
      rows, "cosine_embedding_loss", {N({3, 4}), N({3, 4}), I(1, {3})},
      [](const auto& x) { return at::cosine_embedding_loss(x[0], x[1], x[2] * 2 - 1, 0.1); },
      [](const auto& x) { return kdhost::cosine_embedding_loss(x[0], x[1], x[2] * 2 - 1, 0.1); });
  add_row(rows, "cosine_similarity", {N({3, 4}), N({3, 4})},
          [](const auto& x) { return cosine_similarity(x[0], x[1], 1, 1e-6); });
  add_row(rows, "pairwise_distance", {N({3, 4}), N({3, 4})},
          [](const auto& x) { return pairwise_distance(x[0], x[1], 2.0, 1e-6, true); });
}

}  // namespace operator_rows
