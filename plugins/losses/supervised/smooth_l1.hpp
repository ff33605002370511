// SPDX-License-Identifier: MIT
//
// kdhost.smooth_l1: squared error of small, absolute error of large differences, a task term. Girshick, ICCV 2015,
// arXiv 1504.08083. Equal to PyTorch's SmoothL1Loss.
//
//   mean over all entries of d^2 / (2 beta) where |d| < beta, else |d| - beta / 2,   d = z - y
//
// y has the shape of z ([N] and [N, 1] stand for each other); integers are taken as numbers.
#pragma once
#include "../element_sums.hpp"
#include "task_targets.hpp"

namespace kdhost::plugins {

struct SmoothL1 final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.smooth_l1").version("1.0.0").summary("squared error of small, absolute error of large differences");
    s.source("Girshick, Fast R-CNN, ICCV 2015, arXiv 1504.08083; equal to PyTorch's SmoothL1Loss");
    s.details(
        "mean over all entries of d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, d = z - y; y has the shape of "
        "z. Single wrong labels weigh less than with kdhost.mse.");
    s.recipe("[[loss]]\nuse = \"kdhost.smooth_l1\"\nparams = { beta = 1.0 }\n");
    s.number("beta", 1.0).above(0.0).doc("where the square ends").schedulable();
    describe_task_ports(s, "numbers like the prediction");
  }

  Tensor compute(const Call& c) override {
    const Tensor z = predictions(c);
    const Tensor y = targets_like(c, z);
    const double beta = c.number("beta");
    if (laid_out_alike(z, y))
      return element_sum("kdhost.smooth_l1", ElementTerm::smooth_l1, z, y, beta, 1.0 / static_cast<double>(z.numel()));
    return smooth_l1_loss(z, y, Reduction::mean, beta);
  }
};

}  // namespace kdhost::plugins
