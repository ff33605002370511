// SPDX-License-Identifier: MIT
// The plugin's half of abi_bench; see abi_bench_calls.hpp.
#include "abi_bench_calls.hpp"

#include <kdhost/plugin.hpp>

namespace {

using kdhost::Tensor;

struct Empty final : kdhost::Loss {
  static void describe(kdhost::Spec& s) {
    s.id("bench.empty").version("1.0.0").summary("returns a number it has");
    s.input("student.logits");
  }
  Tensor compute(const kdhost::Call&) override { return value_; }

 private:
  Tensor value_ = kdhost::zeros({});
};

struct SoftKl final : kdhost::Loss {
  static void describe(kdhost::Spec& s) {
    s.id("bench.soft_kl").version("1.0.0").summary("KL divergence of softened class probabilities");
    s.number("temperature", 4.0);
    s.input("student.logits");
    s.input("teacher.logits");
  }
  Tensor compute(const kdhost::Call& c) override {
    const double t = c.number("temperature");
    const Tensor student = kdhost::log_softmax(c["student.logits"] / t, 1);
    const Tensor teacher = kdhost::log_softmax(c["teacher.logits"] / t, 1);
    return kdhost::kl_div(student, teacher, kdhost::Reduction::batchmean, true) * (t * t);
  }
};

// The arguments are references of their own, as they are in a plugin.
Tensor own(kdh_tensor t) { return Tensor::borrow(t); }

}  // namespace

namespace abi_bench {

void use_host(const kdh_host* host) { kdhost::detail::host = host; }

kdh_tensor add(kdh_tensor a, kdh_tensor b) { return (own(a) + own(b)).give(); }
kdh_tensor mul_number(kdh_tensor a, kdh_tensor) { return (own(a) * 0.5).give(); }
kdh_tensor matmul(kdh_tensor a, kdh_tensor b) { return kdhost::matmul(own(a), own(b)).give(); }
kdh_tensor sum_rows(kdh_tensor a, kdh_tensor) { return own(a).sum(1).give(); }
kdh_tensor log_softmax(kdh_tensor a, kdh_tensor) { return kdhost::log_softmax(own(a), 1).give(); }
kdh_tensor kl_div(kdh_tensor a, kdh_tensor b) {
  return kdhost::kl_div(own(a), own(b), kdhost::Reduction::sum, true).give();
}

const kdh_component& empty_loss() { return kdhost::detail::component<Empty>(); }
const kdh_component& soft_kl() { return kdhost::detail::component<SoftKl>(); }

}  // namespace abi_bench
