// SPDX-License-Identifier: MIT
// The thread policy and the environment it needs. Figures behind it: with one busy neighbour on two cores, two
// spinning threads keep a fifth of their speed, one thread keeps nearly all; glibc's heap returns freed
// activations to the kernel at every step unless all three of its thresholds are raised. Lowest layer.
#include "base/launch.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <thread>

#include "base/text.hpp"

namespace kdhost {
namespace {

// 4 GiB keeps every activation on the heap; 64 MiB of padding makes the heap grow in few steps. One of the three
// alone switches off glibc's own growing threshold and is worse than none.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kHeap = {{
    {"MALLOC_TRIM_THRESHOLD_", "4294967296"},
    {"MALLOC_MMAP_THRESHOLD_", "4294967296"},
    {"MALLOC_TOP_PAD_", "67108864"},
}};

// Needed before the first cuBLAS handle for matrix products that repeat bit by bit.
constexpr std::pair<std::string_view, std::string_view> kCublas = {"CUBLAS_WORKSPACE_CONFIG", ":4096:8"};

// The kernel counts time in ticks of 10 ms, so a short look sees a busy core as 0.5 to 1.
constexpr double kBusyCore = 0.5;

std::optional<int> positive_int(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  int value = 0;
  // OMP_NUM_THREADS may be a list, one number for each nesting level; the first one counts here.
  const auto [end, reason] = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool whole = end == text->data() + text->size() || *end == ',';
  return reason == std::errc() && whole && value > 0 ? std::optional(value) : std::nullopt;
}

// Busy and total ticks of each processor in /proc/stat. Columns: user nice system idle iowait irq softirq steal.
std::map<int, std::pair<std::uint64_t, std::uint64_t>> ticks(std::string_view text) {
  std::map<int, std::pair<std::uint64_t, std::uint64_t>> result;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 4 || line.compare(0, 3, "cpu") != 0 || line[3] == ' ') continue;
    std::istringstream words(line.substr(3));
    int processor = 0;
    words >> processor;
    std::uint64_t busy = 0;
    std::uint64_t total = 0;
    std::uint64_t count = 0;
    for (int column = 0; column < 8 && words >> count; ++column) {
      total += count;
      if (column != 3 && column != 4) busy += count;
    }
    result[processor] = {busy, total};
  }
  return result;
}

std::string whole_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<int> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> allowed;
  // Fails on machines with more than 1024 processors; then all of them count.
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return allowed;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) allowed.push_back(i);
  }
  return allowed;
}

// Whole cores that the control group's quota allows, or nothing where there is none. Version 2 has one file with
// "quota period" or "max period", version 1 two files with quota -1 for none.
std::optional<int> quota_cores() {
  std::istringstream v2(whole_file("/sys/fs/cgroup/cpu.max"));
  std::istringstream v1(whole_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") + " " +
                        whole_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
  double quota = 0.0;
  double period = 0.0;
  const bool found = static_cast<bool>(v2 >> quota >> period) || static_cast<bool>(v1 >> quota >> period);
  if (!found || quota <= 0.0 || period <= 0.0) return std::nullopt;
  return std::max(1, static_cast<int>(std::floor(quota / period + 0.01)));
}

struct ThreadDecision {
  int threads = 1;
  bool shared = false;
  std::string text;
};

ThreadDecision decide_threads(std::optional<int> asked, const EnvironmentLookup& environment,
                              const std::function<MachineLoad()>& load) {
  if (asked) return {std::max(1, *asked), false, "threads: " + std::to_string(std::max(1, *asked)) + " (as asked)"};
  if (const auto set = positive_int(environment("OMP_NUM_THREADS"))) {
    return {*set, false, "threads: " + std::to_string(*set) + " (from OMP_NUM_THREADS)"};
  }
  const MachineLoad now = load();
  const int taken = static_cast<int>(std::floor(now.busy + (1.0 - kBusyCore)));
  const int threads = std::max(1, now.cores - taken);
  const std::string head = "threads: " + std::to_string(threads) + " of " + std::to_string(now.cores);
  if (taken == 0) return {threads, false, head};
  return {threads, true, head + " (other work keeps " + fixed(now.busy, 1) + " busy), waiting without spinning"};
}

}  // namespace

EnvironmentPlan plan_environment(std::optional<int> threads, const EnvironmentLookup& environment,
                                 const std::function<MachineLoad()>& load) {
  const ThreadDecision decision = decide_threads(threads, environment, load);
  EnvironmentPlan plan{.variables = {}, .threads = decision.threads, .shared = decision.shared, .text = decision.text};
  const auto set_unless_set = [&](std::string_view name, std::string_view value) {
    if (!environment(name)) plan.variables.emplace_back(name, value);
  };
  for (const auto& [name, value] : kHeap) set_unless_set(name, value);
  plan.variables.emplace_back("OMP_NUM_THREADS", std::to_string(plan.threads));
  if (plan.shared) set_unless_set("GOMP_SPINCOUNT", "0");
  set_unless_set(kCublas.first, kCublas.second);
  plan.variables.emplace_back("KDHOST_LAUNCH", plan.text);
  return plan;
}

std::optional<std::string> environment_variable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

void apply(const EnvironmentPlan& plan) {
  for (const auto& [name, value] : plan.variables) ::setenv(name.c_str(), value.c_str(), 1);
}

int usable_cores() {
  const auto allowed = static_cast<int>(allowed_processors().size());
  const int cores = allowed > 0 ? allowed : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return std::min(cores, quota_cores().value_or(cores));
}

MachineLoad load_between(std::string_view before, std::string_view after, const std::vector<int>& allowed) {
  const auto first = ticks(before);
  const auto second = ticks(after);
  MachineLoad load{.cores = 0, .busy = 0.0};
  for (const auto& [processor, end] : second) {
    const bool counts = allowed.empty() || std::find(allowed.begin(), allowed.end(), processor) != allowed.end();
    const auto start = first.find(processor);
    if (!counts || start == first.end()) continue;
    ++load.cores;
    // An idle processor may have no tick at all in so short a time. Counters may step back when one comes online.
    const bool moved = end.second > start->second.second && end.first >= start->second.first;
    if (!moved) continue;
    load.busy +=
        static_cast<double>(end.first - start->second.first) / static_cast<double>(end.second - start->second.second);
  }
  load.cores = std::max(1, load.cores);
  return load;
}

MachineLoad measure_load(std::chrono::milliseconds interval) {
  const std::string before = whole_file("/proc/stat");
  std::this_thread::sleep_for(interval);
  MachineLoad load = load_between(before, whole_file("/proc/stat"), allowed_processors());
  // A quota below the processors allowed: other work counts only as far as it leaves fewer than the quota.
  const double free = load.cores - load.busy;
  load.cores = std::min(usable_cores(), load.cores);
  load.busy = std::max(0.0, load.cores - free);
  return load;
}

}  // namespace kdhost
