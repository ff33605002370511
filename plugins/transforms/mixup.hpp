// SPDX-License-Identifier: MIT
// kdhost.mixup: every sample becomes a weighted mean of itself and another sample of the batch, labels alike.
#pragma once
#include "soft_labels.hpp"

namespace kdhost::plugins {

struct Mixup final : Transform {
  static void describe(Spec& s) {
    s.id("kdhost.mixup").version("1.0.0").summary("mixes each sample, and its label, with another one of the batch");
    s.mixes_samples();
    s.source(
        "Zhang, Cisse, Dauphin, Lopez-Paz 2018, mixup, arXiv 1710.09412; one weight a batch as in the authors' code");
    s.details(
        "m ~ Beta(alpha, alpha), one a batch;  input = m x + (1 - m) x',  label = m y + (1 - m) y', y one-hot [N, C].\n"
        "x' is the batch rolled by a random distance, so no sample is its own partner. The label becomes floating "
        "point: use\n"
        "losses that take probabilities. Depends on how the data are cut into batches.");
    s.recipe("[[data.transform]]\nuse    = \"kdhost.mixup\"\nparams = { alpha = 0.2 }\n");
    s.number("alpha", 0.2).above(0).doc("small: weights near 0 or 1; 1: uniform; large: near one half").schedulable();
    s.number("p", 1.0).range(0, 1).doc("probability of a batch to be mixed").schedulable();
    s.input(kInputPort).doc("[N, ...] floating point");
    declare_label(s);
  }
  Mixup(const Params&, const Ports& ports, Builder&) : classes_(ports.facts().integer_or("classes", 0)) {}

  void apply(const Call& c) override {
    const Tensor x = c[kInputPort];
    const Tensor y = probabilities(c[kLabelPort], classes_, x);
    Stream stream = c.stream(0);
    const bool mixes = stream.uniform() < c.number("p");
    const std::int64_t roll_by = draw_roll(stream, x.size(0));
    const double share = beta_draw(stream, c.number("alpha"));
    if (mixes) c.emit(kInput, mixed(x, partners(x, roll_by), share));
    c.emit(kLabel, mixes ? mixed(y, partners(y, roll_by), share) : y);
  }

 private:
  std::int64_t classes_;
};

}  // namespace kdhost::plugins
