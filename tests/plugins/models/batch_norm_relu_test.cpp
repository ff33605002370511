// SPDX-License-Identifier: MIT
// Batch norm, addition and ReLU in one step against the same by LibTorch's operators.
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <catch2/catch.hpp>

#include "model_case.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

struct Step {
  at::Tensor value, input, residual, weight, bias, mean, variance;
  int64_t batches;
};

Step run(const at::Tensor& x, const at::Tensor& residual, bool composed) {
  std::vector<at::Tensor> inputs{x.detach().clone(at::MemoryFormat::Preserve).requires_grad_()};
  if (residual.defined()) inputs.push_back(residual.detach().clone(at::MemoryFormat::Preserve).requires_grad_());
  ModelCase probe("../../../tests/bin/norm_probe", "test.norm", {{"composed", composed}}, inputs);
  {
    const c10::NoGradGuard off;
    probe.part("norm.weight").copy_(generated({x.size(1)}, 5).to(at::kFloat) + 1.5);
    probe.part("norm.bias").copy_(generated({x.size(1)}, 6).to(at::kFloat));
  }
  const at::Tensor y = probe.forward(KDH_CALL_TRAINING)["logits"];
  const at::Tensor g = generated(y.sizes().vec(), 9).to(at::kFloat);
  (y * g).sum().backward();
  return {y.detach(),
          inputs[0].grad(),
          residual.defined() ? inputs[1].grad() : at::Tensor(),
          probe.part("norm.weight").grad(),
          probe.part("norm.bias").grad(),
          probe.part("norm.running_mean"),
          probe.part("norm.running_var"),
          probe.part("norm.num_batches_tracked").item<int64_t>()};
}

double apart(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() / std::max(1e-30, b.abs().max().item<double>());
}

}  // namespace

TEST_CASE("batch norm with ReLU in one step gives the operators' numbers and running statistics", "[models]") {
  for (const auto& shape :
       std::vector<std::vector<int64_t>>{{2, 8, 3, 5}, {4, 16, 32, 32}, {3, 40, 7, 7}, {64, 64, 8, 8}}) {
    const at::Tensor x = channels_last((generated(shape, 1) * 2).to(at::kFloat));
    for (const bool adds : {false, true}) {
      const at::Tensor residual = adds ? channels_last(generated(shape, 2).to(at::kFloat)) : at::Tensor();
      const Step one = run(x, residual, false), composed = run(x, residual, true);
      INFO(at::IntArrayRef(shape) << (adds ? " with residual" : ""));
      CHECK(one.value.is_contiguous(at::MemoryFormat::ChannelsLast));
      CHECK(apart(one.value, composed.value) < 1e-6);
      CHECK(apart(one.input, composed.input) < 1e-5);
      CHECK(apart(one.weight, composed.weight) < 1e-5);
      CHECK(apart(one.bias, composed.bias) < 1e-5);
      CHECK(apart(one.mean, composed.mean) < 1e-6);
      CHECK(apart(one.variance, composed.variance) < 1e-6);
      CHECK(one.batches == 1);
      if (adds) CHECK(one.residual.equal(composed.residual));
    }
  }
}

TEST_CASE("a mean far from 0 costs no digits of the statistics", "[models]") {
  const at::Tensor x = channels_last((generated({64, 64, 8, 8}, 1) * 2 + 30).to(at::kFloat));
  const Step one = run(x, {}, false);
  const at::Tensor fine = x.to(at::kDouble).transpose(0, 1).flatten(1);
  CHECK(apart(one.mean, fine.mean(1) * 0.1) < 1e-6);
  CHECK(apart(one.variance, fine.var(1) * 0.1 + 0.9) < 1e-6);
}

TEST_CASE("the number of threads does not change a bit of batch norm in one step", "[models]") {
  const at::Tensor x = channels_last(generated({16, 16, 32, 32}, 1).to(at::kFloat));
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Step one = run(x, x, false);
  at::set_num_threads(2);
  const Step two = run(x, x, false);
  at::set_num_threads(before);
  CHECK(one.value.equal(two.value));
  CHECK(one.input.equal(two.input));
  CHECK(one.weight.equal(two.weight));
  CHECK(one.variance.equal(two.variance));
}

TEST_CASE("batch norm in one step passes NaN on", "[models]") {
  at::Tensor x = channels_last(generated({2, 8, 4, 4}, 1).to(at::kFloat));
  x[0][3][1][1] = std::nanf("");
  CHECK(run(x, {}, false).value.select(1, 3).isnan().all().item<bool>());
}

TEST_CASE("one value a channel is refused in training", "[models]") {
  const at::Tensor x = channels_last(generated({1, 8, 1, 1}, 1).to(at::kFloat));
  ModelCase probe("../../../tests/bin/norm_probe", "test.norm", {}, {x});
  CHECK_THROWS_WITH(probe.forward(KDH_CALL_TRAINING),
                    Catch::Matchers::Contains(
                        "batch norm in training needs more than one value per channel, found input [1, 8, 1, 1]"));
}
