// SPDX-License-Identifier: MIT
// A model of the exact tier made of torch::nn modules, with batch norm so that buffers are tied to the host as well.
#include <torch/nn/functional/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <kdhost/exact_module.hpp>

namespace {

struct Net final : torch::nn::Module {
  Net(std::int64_t in, std::int64_t hidden, std::int64_t out)
      : fc1(register_module("fc1", torch::nn::Linear(in, hidden))),
        norm(register_module("norm", torch::nn::BatchNorm1d(hidden))),
        fc2(register_module("fc2", torch::nn::Linear(hidden, out))) {}
  at::Tensor forward(const at::Tensor& x) { return fc2(torch::relu(norm(fc1(x)))); }
  torch::nn::Linear fc1;
  torch::nn::BatchNorm1d norm;
  torch::nn::Linear fc2;
};

struct ExactNet final : kdhost::Model {
  static void describe(kdhost::Spec& s) {
    s.id("test.exact_net").version("1.0.0").summary("two linear layers with batch norm, of torch::nn");
    s.integer("hidden", 8).range(1, 4096);
    s.input("batch.input").doc("[N, D]");
    s.output("logits").doc("[N, C]");
  }
  ExactNet(const kdhost::Params& p, const kdhost::Ports& ports, kdhost::Builder& b)
      : net_(ports.size("batch.input", 1), p.integer("hidden"), ports.classes()), parts_(b, net_) {}
  void forward(const kdhost::Call& c, kdhost::Outputs& out) override {
    parts_.bind(c);
    out.set("logits", kdhost::wrap(net_.forward(kdhost::unwrap(c["batch.input"]))));
  }

 private:
  Net net_;
  kdhost::ModuleParts parts_;
};

}  // namespace

KDHOST_PLUGIN("test.exact_module", "1.0.0", ExactNet)
