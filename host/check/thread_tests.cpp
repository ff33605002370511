// SPDX-License-Identifier: MIT
// Level 7 of the validator: several threads at once, as the interface allows them.
#include <ATen/core/grad_mode.h>

#include <atomic>
#include <thread>

#include "check/caller.hpp"
#include "check/child.hpp"
#include "check/suite.hpp"
#include "tensor/aten.hpp"
#include "tensor/backward.hpp"

namespace kdhost::check {
namespace {

constexpr std::size_t kThreads = 4;
constexpr int kRounds = 10;

/// What went wrong in one of several threads that run the same; empty when nothing.
template <class Body>
std::string in_threads(Body&& body) {
  std::vector<std::string> faults(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      try {
        faults[t] = body(t);
      } catch (const Error& error) {
        faults[t] = "fails (" + said(error) + ")";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& fault : faults) {
    if (!fault.empty()) return fault;
  }
  return {};
}

Finding test_instances_at_once(Subject& subject, const ComponentInfo* info) {
  std::vector<std::unique_ptr<Caller>> callers;
  for (std::size_t t = 0; t < kThreads; ++t) callers.push_back(make_caller(subject, *info));
  const std::vector<NamedTensor> alone = kept(callers[0]->call());
  callers[0]->parts.discard_writes();
  // The generator belongs to all threads of the process, so who draws from it gets other numbers beside others.
  const bool random = draws_random_numbers(*callers[0]);
  const std::string fault = in_threads([&](std::size_t t) -> std::string {
    for (int round = 0; round < kRounds; ++round) {
      const bool same = same_bits(alone, callers[t]->call()) || random;
      callers[t]->parts.discard_writes();
      if (!same) return "gives other results";
    }
    return {};
  });
  if (fault.empty()) return passed();
  return failed(fault + " when several instances work in threads of their own.",
                "Keep everything in the instance; static and global variables are shared by all.");
}

// Schedulers and data sets are promised to be safe; of the others one instance serves one thread at a time.
Finding test_one_instance(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> caller = make_caller(subject, *info);
  const std::vector<NamedTensor> alone = kept(caller->call());
  const std::string fault = in_threads([&](std::size_t) -> std::string {
    for (int round = 0; round < kRounds; ++round) {
      if (!same_bits(alone, caller->call())) return "gives other results";
    }
    return {};
  });
  if (fault.empty()) return passed();
  return failed(fault + " when several threads use one instance, which the interface allows for its kind.",
                "Change no member in a call, or guard it with a mutex.");
}

Finding test_backward_elsewhere(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<Caller> here = make_caller(subject, *info);
  const std::unique_ptr<Caller> there = make_caller(subject, *info);
  const std::vector<at::Tensor> wanted_here = side_of(here->inputs, "student");
  const std::vector<at::Tensor> wanted_there = side_of(there->inputs, "student");
  const at::Tensor value = here->call().front().value;
  const at::Tensor other = there->call().front().value;
  if (!value.requires_grad() || wanted_here.empty()) return passed();
  note_activity("the backward pass through '" + info->id + "' on another thread");
  const std::vector<at::Tensor> expected = gradients_of(value, wanted_here);
  std::vector<at::Tensor> found;
  std::string fault;
  std::thread([&] {
    try {
      found = gradients_of(other, wanted_there);
    } catch (const std::exception& error) {
      fault = said(error);
    }
  }).join();
  const std::string mend = "Let backward of custom_grad use its arguments only: nothing thread_local, no Call.";
  if (!fault.empty()) return failed("fails in its backward pass on another thread: " + fault, mend);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!same_bits(expected[i], found[i])) return failed("has another gradient on another thread.", mend);
  }
  return passed();
}

}  // namespace

void add_thread_tests(std::vector<Test>& tests) {
  const auto add = [&](const char* name, const std::vector<kdh_kind>& kinds,
                       Finding (*run)(Subject&, const ComponentInfo*)) {
    tests.push_back({.level = 7, .name = name, .kinds = kinds, .needs = {"call.works"}, .run = run});
  };
  add("threads.instances",
      {KDH_KIND_LOSS, KDH_KIND_MODEL, KDH_KIND_SCHEDULER, KDH_KIND_DATASET, KDH_KIND_TRANSFORM, KDH_KIND_METRIC},
      test_instances_at_once);
  add("threads.one_instance", {KDH_KIND_SCHEDULER, KDH_KIND_DATASET}, test_one_instance);
  add("threads.backward", {KDH_KIND_LOSS}, test_backward_elsewhere);
}

}  // namespace kdhost::check
