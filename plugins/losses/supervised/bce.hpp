// SPDX-License-Identifier: MIT
//
// kdhost.bce: binary cross-entropy, one yes-or-no question for each number of the prediction.
//
//   L = mean over all entries of -(w y log sigmoid(z) + (1 - y) log(1 - sigmoid(z))),  w = positive_weight
//
// y are 0 and 1 or probabilities, in the shape of z ([N] and [N, 1] stand for each other). Class numbers [N] of logits
// [N, C] count as one yes among C, which is how an image classifier is trained with this loss.
#pragma once
#include "../element_sums.hpp"
#include "task_targets.hpp"

namespace kdhost::plugins {

struct BinaryCrossEntropy final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.bce").version("1.0.0").summary("binary cross-entropy, one yes-or-no question an entry");
    s.source("the task loss of several labels at once; equal to PyTorch's BCEWithLogitsLoss");
    s.details(
        "mean over all entries of -(positive_weight y log sigmoid(z) + (1 - y) log(1 - sigmoid(z))), in log space. y "
        "has the shape of z and holds 0 and 1 or probabilities; class numbers [N] of logits [N, C] count as one yes "
        "among C. A term of one task among several binds its own tap and field: inputs = { \"student.logits\" = "
        "\"smiles\", \"batch.label\" = \"smiles\" }.");
    s.recipe("[[loss]]\nuse = \"kdhost.bce\"\n");
    s.number("positive_weight", 1.0).above(0.0).doc("weight of the entries that are 1").schedulable();
    describe_task_ports(s, "0 and 1 or probabilities like the prediction; or class numbers [N]");
  }

  Tensor compute(const Call& c) override {
    const Tensor z = predictions(c), y = yes_or_no(c, z);
    const double positive = c.number("positive_weight");
    if (laid_out_alike(z, y))
      return element_sum("kdhost.bce", ElementTerm::yes_or_no, z, y, positive, 1.0 / static_cast<double>(z.numel()));
    return -(y * logsigmoid(z) * positive + (1.0 - y) * logsigmoid(-z)).mean();
  }
};

}  // namespace kdhost::plugins
