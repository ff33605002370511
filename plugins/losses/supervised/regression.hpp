// SPDX-License-Identifier: MIT
//
// kdhost.mse and kdhost.smooth_l1: a number, or several, that shall be predicted.
//
//   mse        mean over all entries of (z - y)^2
//   smooth_l1  mean over all entries of d^2 / (2 beta) where |d| < beta, else |d| - beta / 2;  d = z - y
//
// y has the shape of z ([N] and [N, 1] stand for each other); integers are taken as numbers.
#pragma once
#include "../element_sums.hpp"
#include "../squared_difference.hpp"
#include "task_targets.hpp"

namespace kdhost::plugins {

struct MeanSquaredError final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.mse").version("1.0.0").summary("mean squared error of predicted numbers");
    s.source("the task loss of regression; equal to PyTorch's MSELoss");
    s.details(
        "mean over all entries of (z - y)^2; y has the shape of z. A term of one task among several binds its own tap "
        "and field: inputs = { \"student.logits\" = \"age\", \"batch.label\" = \"age\" }. Between student and teacher: "
        "kdhost.logit_mse, kdhost.hint.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.mse\"\ninputs = { \"student.logits\" = \"logits\", \"batch.label\" = \"label\" }\n");
    describe_task_ports(s, "numbers like the prediction");
  }

  Tensor compute(const Call& c) override {
    const Tensor z = predictions(c);
    return squared_difference(z, targets_like(c, z));
  }
};

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
    if (fits_element_sum(z, y))
      return element_sum("kdhost.smooth_l1", ElementTerm::smooth_l1, z, y, beta, 1.0 / static_cast<double>(z.numel()));
    return smooth_l1_loss(z, y, Reduction::mean, beta);
  }
};

}  // namespace kdhost::plugins
