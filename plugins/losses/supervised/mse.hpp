// SPDX-License-Identifier: MIT
//
// kdhost.mse: mean squared error, a task term. Equal to PyTorch's MSELoss.
//
//   mean over all entries of (z - y)^2
//
// y has the shape of z ([N] and [N, 1] stand for each other); integers are taken as numbers.
#pragma once
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

}  // namespace kdhost::plugins
