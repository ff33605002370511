// SPDX-License-Identifier: MIT
// Time and peak memory of every shipped loss, forward and backward, beside a composition of the same formula in
// LibTorch. Both sides take turns, so that they meet the same state of the machine; the fastest turn counts.
//
//   build/tests/bench/loss_bench [WORD ...]     only losses whose id or shape contains a word; exits 1 below a bar
//
// Memory is what LibTorch's CPU allocator holds at most beyond the inputs; the few rows of scratch that row kernels
// keep on the C++ heap are not in it. The value of both sides is compared, too.
#include "loss_bench.hpp"

#include <ATen/Parallel.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>

#include "tensor/loss.hpp"

namespace {

using loss_bench::Case;
using Clock = std::chrono::steady_clock;

/// Follows the CPU allocator on this thread; backward on the CPU runs on the calling thread.
class PeakMemory final : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t size, size_t, size_t, c10::Device) override {
    held_ += size;
    peak_ = std::max(peak_, held_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t peak() const { return peak_; }

 private:
  int64_t held_ = 0, peak_ = 0;
};

/// One loss with its inputs, called as the host calls it.
class Shipped {
 public:
  explicit Shipped(const Case& c) {
    const kdh_component& component = kdhost::test::shipped(c.library, c.id);
    kdhost::Creation creation;
    creation.params = kdhost::test::arguments(component, c.settings);
    if (c.samples > 0) creation.facts.add("samples", c.samples);
    std::map<std::string, std::size_t> lists;
    for (const auto& [port, value] : c.inputs) {
      creation.shapes.push_back({port, value.sizes().vec(), value.scalar_type()});
      if (const auto dot = list_of(port); dot != std::string::npos) ++lists[port.substr(0, dot)];
    }
    loss_ = std::make_unique<kdhost::LossInstance>(kdhost::test::origin(component, c.library, "loss.bench"),
                                                   std::move(creation));
    loss_->want_terms(false);  // as in the steps of a training that are not logged
    parts_ = kdhost::Parts(loss_->part_list(), "loss.bench", 1, at::kFloat);
    parts_.require_grad(true);
    std::map<std::string, std::size_t> slots;
    for (const auto& [list, count] : lists) slots[list] = loss_->inputs().add_list(list, count);
    for (const auto& [port, value] : c.inputs) {
      const auto dot = list_of(port);
      if (dot == std::string::npos)
        loss_->inputs().set(loss_->inputs().add(port), value);
      else
        loss_->inputs().set(slots.at(port.substr(0, dot)), std::stoul(port.substr(dot + 1)), value);
    }
    settings_.flags = KDH_CALL_TRAINING;
  }
  at::Tensor operator()() { return loss_->compute(parts_, settings_); }

 private:
  // Where ".3" begins in "student.features.3".
  static std::string::size_type list_of(const std::string& port) {
    const auto dot = port.rfind('.');
    return port.find_first_not_of("0123456789", dot + 1) == std::string::npos ? dot : std::string::npos;
  }
  std::unique_ptr<kdhost::LossInstance> loss_;
  kdhost::Parts parts_;
  kdhost::CallSettings settings_;
};

void forget_gradients(const Case& c) {
  for (const auto& [port, value] : c.inputs)
    if (value.grad().defined()) value.mutable_grad().reset();
}

template <class F>
double forward_and_backward(const Case& c, const F& f) {
  forget_gradients(c);
  const auto start = Clock::now();
  f().backward();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

template <class F>
double peak_of(const Case& c, const F& f) {
  forget_gradients(c);
  const auto memory = std::make_shared<PeakMemory>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, memory);
  f().backward();
  return static_cast<double>(memory->peak()) / 1024.0;
}

bool wanted(const Case& c, int count, char** words) {
  if (count < 2) return true;
  return std::any_of(words + 1, words + count, [&](const char* word) {
    return c.id.find(word) != std::string::npos || c.shape.find(word) != std::string::npos;
  });
}

/// Prints one line; false below a bar.
bool measure(Case c) {
  std::vector<at::Tensor> tensors;
  for (auto& [port, value] : c.inputs) {
    if (port.rfind("student.", 0) == 0 && at::isFloatingType(value.scalar_type())) value.requires_grad_();
    tensors.push_back(value);
  }
  Shipped shipped(c);
  const auto composed = [&] { return c.composed(tensors); };
  const auto mine = [&] { return shipped(); };
  const double value = mine().item<double>(), expected = composed().item<double>();
  const bool equal = std::abs(value - expected) <= c.tolerance * std::max(1e-3, std::abs(expected));

  double fast = std::numeric_limits<double>::infinity(), slow = fast;
  const auto end = Clock::now() + std::chrono::milliseconds(1200);
  for (int turn = 0; turn < 10 || Clock::now() < end; ++turn) {
    slow = std::min(slow, forward_and_backward(c, composed));
    fast = std::min(fast, forward_and_backward(c, mine));
  }
  const double ratio = slow / fast, memory = peak_of(c, mine), its_memory = peak_of(c, composed);
  std::string notes;
  if (!equal) notes += "  VALUES DIFFER: " + std::to_string(value) + " and " + std::to_string(expected);
  if (ratio < c.bar) notes += "  SLOWER THAN ITS BAR";
  if (c.memory_bar > 0 && memory > c.memory_bar * its_memory) notes += "  MORE MEMORY THAN ITS BAR";
  std::string name = c.id;
  for (const auto& [key, setting] : c.settings)
    if (const auto* word = std::get_if<std::string>(&setting)) name += " " + *word;
  std::printf("%-38s %-14s %11.1f %11.1f %7.2f %5.1f %11.0f %11.0f%s\n", name.c_str(), c.shape.c_str(), fast, slow,
              ratio, c.bar, memory, its_memory, notes.c_str());
  std::fflush(stdout);
  return notes.empty();
}

}  // namespace

int main(int argc, char** argv) {
  std::printf("forward and backward, float32, %d threads\n", at::get_num_threads());
  std::printf("%-38s %-14s %11s %11s %7s %5s %11s %11s\n", "loss", "shape", "kdhost us", "LibTorch us", "ratio", "bar",
              "kdhost KiB", "LibTorch KiB");
  bool within = true;
  for (const auto& family : {loss_bench::logit_cases(), loss_bench::feature_cases(), loss_bench::relation_cases(),
                             loss_bench::network_cases(), loss_bench::sequence_cases(), loss_bench::task_cases()})
    for (const Case& c : family)
      if (wanted(c, argc, argv)) within = measure(c) && within;
  return within ? 0 : 1;
}
