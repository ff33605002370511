// SPDX-License-Identifier: MIT
// Batch norm and ReLU (and a residual sum) forward and backward on the maps of a CIFAR ResNet, batch 64: in one step
// against the operators, on one and two threads.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include "model_case.hpp"

namespace {

using namespace kdhost;
using namespace kdhost::test;

void step(benchmark::State& state, bool composed, bool adds) {
  const int64_t channels = state.range(0), size = state.range(1);
  at::set_num_threads(static_cast<int>(state.range(2)));
  const auto map = [&](uint64_t seed) {
    return channels_last(generated({64, channels, size, size}, seed).to(at::kFloat)).requires_grad_();
  };
  std::vector<at::Tensor> inputs{map(1)};
  if (adds) inputs.push_back(map(2));
  ModelCase probe("../../../tests/bin/norm_probe", "test.norm", {{"composed", composed}}, inputs);
  const at::Tensor g = map(3).detach();
  const Wants wants({"logits"});
  for (auto _ : state) {
    const at::Tensor y = probe.forward(KDH_CALL_TRAINING, wants)["logits"];
    y.backward(g);
    for (at::Tensor& x : inputs) x.mutable_grad().reset();
    probe.parts().drop_gradients();
  }
}

void sizes(benchmark::internal::Benchmark* b) {
  for (const int64_t threads : {1, 2})
    for (const auto& [channels, size] : std::vector<std::pair<int64_t, int64_t>>{{16, 32}, {32, 16}, {64, 8}})
      b->Args({channels, size, threads});
  b->UseRealTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(step, composed, true, false)->Apply(sizes);
BENCHMARK_CAPTURE(step, one_step, false, false)->Apply(sizes);
BENCHMARK_CAPTURE(step, composed_residual, true, true)->Apply(sizes);
BENCHMARK_CAPTURE(step, one_step_residual, false, true)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
