// SPDX-License-Identifier: MIT
// What the plugin boundary costs: each operator through the SDK beside the same call of LibTorch, interleaved, on
// tensors so small that nearly all of the time is overhead; a call of a component; and what is looked at after each
// call. Bars: 1 us for an operator, 50 ns for a component call, 200 ns for the checks of a call.
//
//   build/tests/bench/abi_bench          prints Google Benchmark's lines and then the table of differences; exits 1
//   above a bar
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "abi_bench_calls.hpp"
#include "tensor/aten.hpp"
#include "tensor/handle.hpp"
#include "tensor/host_table.hpp"
#include "tensor/loss.hpp"

namespace {

constexpr double kOperatorBar = 1000.0;  // ns
constexpr double kComponentBar = 50.0;   // ns
constexpr double kCheckBar = 200.0;      // ns

struct Pair {
  std::string name;
  double bar;                          // ns that the boundary may add to a call
  double direct = 0, through_abi = 0;  // ns a call: the fastest batch, so what the code costs where nothing disturbs it
};

std::vector<std::unique_ptr<Pair>>& pairs() {
  static std::vector<std::unique_ptr<Pair>> list;
  return list;
}

constexpr int kBatch = 50;  // calls between two readings of the clock; well below the time slice of a busy machine

template <class F>
double batch_ns(const F& f) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kBatch; ++i) benchmark::DoNotOptimize(f());
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / kBatch;
}

// One iteration is a batch of each side, one after the other, so that both meet the same state of the machine.
template <class Direct, class Abi>
void register_pair(const std::string& name, double bar, Direct direct, Abi through_abi) {
  pairs().push_back(std::make_unique<Pair>(Pair{name, bar}));
  Pair* pair = pairs().back().get();
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    pair->direct = pair->through_abi = std::numeric_limits<double>::infinity();
    for (auto unused : state) {
      (void)unused;
      pair->direct = std::min(pair->direct, batch_ns(direct));
      pair->through_abi = std::min(pair->through_abi, batch_ns(through_abi));
    }
  });
}

// The table at the end is the only output.
class NoReporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

void register_operator(const std::string& name, abi_bench::SdkCall sdk, at::Tensor a, at::Tensor b,
                       at::Tensor (*direct)(const at::Tensor&, const at::Tensor&)) {
  register_pair(
      name, kOperatorBar, [=] { return direct(a, b); },
      [=] { return kdhost::take(sdk(kdhost::lend(a), kdhost::lend(b))); });
}

// A virtual call that returns a tensor it has: the least that any loss in C++ costs.
struct DirectLoss {
  virtual ~DirectLoss() = default;
  virtual at::Tensor compute(const at::Tensor& student, const at::Tensor& teacher) = 0;
};
struct DirectEmpty final : DirectLoss {
  at::Tensor compute(const at::Tensor&, const at::Tensor&) override { return value; }
  at::Tensor value = at::zeros({});
};
struct DirectSoftKl final : DirectLoss {
  at::Tensor compute(const at::Tensor& student, const at::Tensor& teacher) override {
    const double t = 4.0;
    const at::Tensor s = at::log_softmax(student / t, 1), p = at::log_softmax(teacher / t, 1);
    return at::kl_div(s, p, at::Reduction::Sum, true) / static_cast<double>(student.size(0)) * (t * t);
  }
};

kdhost::Origin origin_of(const kdh_component& component) {
  kdhost::Origin o;
  o.component = &component;
  o.plugin_file = "abi_bench";
  o.name = "loss.bench";
  return o;
}

void register_losses(const at::Tensor& scalar, const at::Tensor& student, const at::Tensor& teacher) {
  const auto empty = std::make_shared<kdhost::LossInstance>(origin_of(abi_bench::empty_loss()), kdhost::Creation{});
  empty->inputs().add("student.logits");
  const std::shared_ptr<DirectLoss> direct_empty = std::make_shared<DirectEmpty>();
  register_pair(
      "component call", kComponentBar, [=] { return direct_empty->compute(scalar, scalar); },
      [=] {
        empty->inputs().set(0, scalar);
        return empty->compute(kdhost::CallSettings{});
      });

  kdhost::Creation creation;
  creation.params.add("temperature", 4.0);
  const auto kl = std::make_shared<kdhost::LossInstance>(origin_of(abi_bench::soft_kl()), std::move(creation));
  kl->inputs().add("student.logits");
  kl->inputs().add("teacher.logits");
  const std::shared_ptr<DirectLoss> direct_kl = std::make_shared<DirectSoftKl>();
  register_pair(
      "a loss of 7 operators", 7 * kOperatorBar + kComponentBar, [=] { return direct_kl->compute(student, teacher); },
      [=] {
        kl->inputs().set(0, student);
        kl->inputs().set(1, teacher);
        return kl->compute(kdhost::CallSettings{});
      });
}

// What is looked at after a call, by itself: beside nothing at all.
void register_checks(const at::Tensor& student, const at::Tensor& teacher) {
  static const std::vector<at::Tensor> kept{student, teacher};  // inputs are borrowed
  const auto nothing = [] { return 0; };
  const auto inputs = std::make_shared<kdhost::Inputs>();
  inputs->set(inputs->add("student.logits"), kept[0]);
  inputs->set(inputs->add("teacher.logits"), kept[1]);
  const auto versions = std::make_shared<kdhost::InputVersions>();
  const at::Tensor value = at::zeros({});
  register_pair("checks of a loss with 2 inputs", kCheckBar, nothing, [=] {
    versions->note(inputs->values());
    return versions->changed(inputs->values()).size() +
           kdhost::same_input(kdhost::lend(value), inputs->values()).size() +
           static_cast<std::size_t>(kdhost::sound_value(value, at::kCPU));
  });
  const auto known = std::make_shared<kdhost::KnownResults>();
  const auto out = std::make_shared<kdhost::Outputs>();
  for (const char* name : {"hidden1", "hidden2", "hidden3", "logits"}) out->add(name, student * 2.0);
  const auto parts = std::make_shared<kdhost::Parts>();
  register_pair("checks of a model with 4 results", kCheckBar, nothing, [=] {
    versions->note(inputs->values());
    return versions->changed(inputs->values()).size() +
           static_cast<std::size_t>(known->fault(*out, inputs->values(), at::kCPU).has_value()) +
           static_cast<std::size_t>(kdhost::lacks_gradient(*out, *parts));
  });
}

}  // namespace

int main(int argc, char** argv) {
  at::set_num_threads(1);
  abi_bench::use_host(&kdhost::host_table());
  for (const bool gradient : {false, true}) {
    const std::string end = gradient ? ", with gradient" : "";
    const at::Tensor a = at::randn({8, 10}).set_requires_grad(gradient),
                     b = at::randn({8, 10}).set_requires_grad(gradient);
    const at::Tensor right = at::randn({10, 10}).set_requires_grad(gradient);
    register_operator("add" + end, abi_bench::add, a, b,
                      [](const at::Tensor& x, const at::Tensor& y) { return x + y; });
    register_operator("mul by a number" + end, abi_bench::mul_number, a, b,
                      [](const at::Tensor& x, const at::Tensor&) { return x * 0.5; });
    register_operator("matmul" + end, abi_bench::matmul, a, right,
                      [](const at::Tensor& x, const at::Tensor& y) { return at::matmul(x, y); });
    register_operator("sum over a dimension" + end, abi_bench::sum_rows, a, b,
                      [](const at::Tensor& x, const at::Tensor&) { return x.sum(1); });
    register_operator("log_softmax" + end, abi_bench::log_softmax, a, b,
                      [](const at::Tensor& x, const at::Tensor&) { return at::log_softmax(x, 1); });
    register_operator(
        "kl_div (several operators in one)" + end, abi_bench::kl_div, a, b,
        [](const at::Tensor& x, const at::Tensor& y) { return at::kl_div(x, y, at::Reduction::Sum, true); });
  }
  register_losses(at::zeros({}), at::randn({8, 10}).set_requires_grad(true), at::randn({8, 10}));
  register_checks(at::randn({8, 10}).set_requires_grad(true), at::randn({8, 10}));

  std::vector<std::string> options{"abi_bench", "--benchmark_min_time=0.3"};  // options given later win
  options.insert(options.end(), argv + 1, argv + argc);
  std::vector<char*> arguments;
  for (std::string& o : options) arguments.push_back(o.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  NoReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);

  bool within = true;
  std::printf("%-50s %10s %10s %8s %10s %8s\n", "what the plugin boundary adds", "direct ns", "abi ns", "ratio",
              "added ns", "bar ns");
  for (const auto& p : pairs()) {
    if (p->direct == 0) continue;  // left out by --benchmark_filter
    const double added = p->through_abi - p->direct;
    within = within && added <= p->bar;
    std::printf("%-50s %10.0f %10.0f %8.2f %10.0f %8.0f%s\n", p->name.c_str(), p->direct, p->through_abi,
                p->through_abi / p->direct, added, p->bar, added <= p->bar ? "" : "  ABOVE");
  }
  return within ? 0 : 1;
}
