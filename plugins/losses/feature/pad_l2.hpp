// SPDX-License-Identifier: MIT
//
// kdhost.pad_l2: prime-aware adaptive distillation, samples weighted by how sure the student is of matching them.
//   Zhang et al., ECCV 2020
//
//   L = sum over taps of the mean over N*D of (e_t - e_s)^2 / (eps + e^v) + v,   v [N, D] the predicted log variance
//
// Adaptor   v = linear layer and batch norm of e_s, trained; "none": v = 0, which leaves the mean squared difference
//           divided by 1 + eps.
// Default = torchdistill's PADL2Loss and VarianceBranch4PAD. Not in the specification of shipped losses: its golden
// values are our own runs of torchdistill 1.1.4's code.
#pragma once
#include "adaptors.hpp"

namespace kdhost::plugins {

struct PrimeAware final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.pad_l2").version("1.0.0").summary("prime-aware L2: embeddings with a variance for each number");
    s.source(
        "Zhang et al., Prime-Aware Adaptive Distillation, ECCV 2020; default = torchdistill 1.1.4 (golden values: our "
        "own runs of its code)");
    s.details(
        "mean over N*D of (e_t - e_s)^2 / (eps + e^v) + v, summed over taps. adaptor = \"auto\" trains v, the log "
        "variance, as a linear layer with batch norm of the student's embedding; \"none\": v = 0. Widths must be "
        "equal. Published as a second stage, after training with soft targets. The value may be negative.\n"
        "Trained: the log variance. State: running statistics.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.pad_l2\"\nweight = 1.0\n"
        "inputs = { student = [\"embedding\"], teacher = [\"embedding\"] }\n");
    s.number("eps", 1e-6).at_least(0.0).doc("smallest variance");
    s.choice("adaptor", {"auto", "none"}).doc("auto: a trained variance; none: variance 1");
    s.inputs("student.features").doc("embeddings [N, D]; maps are flattened");
    s.inputs("teacher.features").doc("as many, in the same order and of the same widths");
  }

  PrimeAware(const Params& p, const Ports& ports, Builder& b) : eps_(p.number("eps")) {
    if (p.text("adaptor") == "none") return;
    for (std::size_t i = 0; i < bound_pairs(ports); ++i) {
      const std::int64_t width = flat_width(ports, tap_name("student", i));
      const Builder tap = b.scope("variance" + std::to_string(i));
      branches_.push_back({tap.linear("linear", width, width), tap.batch_norm2d("norm", width)});
    }
  }

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (const TapPair& p : tap_pairs(c)) {
      const Tensor s = p.student.reshape({p.student.size(0), -1}), t = p.teacher.reshape({p.teacher.size(0), -1});
      if (s.size(1) != t.size(1)) refuse_pair(p, "as many numbers a sample on both sides: choose other taps");
      const Tensor squares = square(t - s);
      if (branches_.empty()) {
        sum.add(squares.mean() / (eps_ + 1.0));
        continue;
      }
      const Branch& branch = branches_[p.index];
      const Tensor v = branch.norm(c, branch.linear(c, s));
      sum.add((squares / (exp(v) + eps_) + v).mean());
    }
    return sum.value();
  }

 private:
  struct Branch {
    nn::Linear linear;
    nn::BatchNorm2d norm;
  };

  double eps_;
  std::vector<Branch> branches_;
};

}  // namespace kdhost::plugins
