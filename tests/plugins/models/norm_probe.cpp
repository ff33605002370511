// SPDX-License-Identifier: MIT
//
// A test plugin around plugins/models/batch_norm_relu.hpp: relu(norm(input) + residual) either in one step or by the
// operators, so that a test and a benchmark can hold them side by side.
#include "batch_norm_relu.hpp"

namespace {

using namespace kdhost;

struct NormProbe final : Model {
  static void describe(Spec& s) {
    s.id("test.norm").version("1.0.0").summary("batch norm and ReLU, in one step or composed");
    s.flag("composed", false);
    s.input("batch.input");
    s.input("batch.residual").optional();
    s.output("logits");
  }
  NormProbe(const Params& p, const Ports& ports, Builder& b)
      : composed_(p.flag("composed")), norm_(b.batch_norm2d("norm", ports.size("batch.input", 1))) {}

  void forward(const Call& c, Outputs& out) override {
    const Tensor x = c["batch.input"];
    const Tensor residual = c.has("batch.residual") ? c["batch.residual"] : Tensor();
    if (!composed_) return out.set("logits", plugins::batch_norm_relu(c, norm_, x, residual));
    const Tensor y = norm_(c, x);
    out.set("logits", relu_(residual ? y + residual : y));
  }

 private:
  bool composed_;
  nn::BatchNorm2d norm_;
};

}  // namespace

KDHOST_PLUGIN("test.norm", "1.0.0", NormProbe)
