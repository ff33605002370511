// SPDX-License-Identifier: MIT
// Level 9 of the validator: random parameters and random inputs. A component may refuse them in words; it may not
// crash, hang or fail without a text. Each case has a seed of its own, so that it can be run alone.

#include <array>
#include <chrono>
#include <cmath>

#include "base/text.hpp"
#include "check/caller.hpp"
#include "check/child.hpp"
#include "check/suite.hpp"
#include "plugin/parameters.hpp"
#include "tensor/aten.hpp"
#include "tensor/backward.hpp"

namespace kdhost::check {
namespace {

constexpr std::uint64_t kCases = 60;
constexpr std::uint64_t kFewCases = 5;
constexpr std::chrono::seconds kTime(5);
// Networks with more parameters than this only take long.
constexpr std::int64_t kMostNumbers = 1000000;

double random_number(const ParamInfo& param, Stream& stream) {
  const double low = std::isnan(param.min) ? -100.0 : std::max(param.min, -1e6);
  const double high = std::isnan(param.max) ? std::max(low + 100.0, 100.0) : std::min(param.max, 1e6);
  // The ends are where things break.
  const double where = stream.uniform();
  const bool low_open = param.min_exclusive && !std::isnan(param.min);
  const bool high_open = param.max_exclusive && !std::isnan(param.max);
  if (where < 0.1) return low + (low_open ? 1e-6 * std::max(1.0, std::abs(low)) : 0.0);
  if (where < 0.2) return high - (high_open ? 1e-6 * std::max(1.0, std::abs(high)) : 0.0);
  return low + (high - low) * stream.uniform();
}

Value random_scalar(const ParamInfo& param, Stream& stream, kdh_kind kind) {
  switch (param.type) {
    case KDH_T_BOOL:
      return Value(stream.below(2) == 1);
    case KDH_T_INT:
    case KDH_T_INT_LIST: {
      // Sizes of networks and data sets: large ones only take long.
      const double most = kind == KDH_KIND_MODEL ? 32.0 : kind == KDH_KIND_DATASET ? 20.0 : 1000.0;
      return Value(static_cast<std::int64_t>(std::llround(std::clamp(random_number(param, stream), -most, most))));
    }
    case KDH_T_FLOAT:
    case KDH_T_FLOAT_LIST:
      return Value(random_number(param, stream));
    default:
      if (param.choices.empty()) return Value("word");
      return Value(param.choices[static_cast<std::size_t>(stream.below(param.choices.size()))]);
  }
}

Value random_parameters(const ComponentInfo& info, const Fit& fit, Stream& stream) {
  Value parameters = fit.parameters;
  for (const ParamInfo& param : info.params) {
    if (param.is_path || (param.type == KDH_T_STRING && param.choices.empty())) continue;
    if (!param.required && stream.below(2) == 0) continue;
    Value value = random_scalar(param, stream, info.kind);
    if (param.is_list()) {
      ValueList list{value};
      while (stream.below(2) == 0 && list.size() < 5) list.push_back(random_scalar(param, stream, info.kind));
      value = Value(std::move(list));
    }
    std::vector<Message> problems;
    if (check_parameter(info, param, value, problems)) parameters.set(param.name, std::move(value));
  }
  return parameters;
}

// One element of one input that is not a usual number.
void spoil_one(Tensors& inputs, Stream& stream) {
  constexpr std::array<double, 6> kOdd{0.0, 1e30, -1e30, INFINITY, -INFINITY, NAN};
  const double number = kOdd[static_cast<std::size_t>(stream.below(kOdd.size()))];
  const std::uint64_t chosen = stream.below(std::max<std::size_t>(1, inputs.size()));
  std::uint64_t at = 0;
  inputs = changed(inputs, [&](const PortTensors&, const at::Tensor& t) {
    if (at++ != chosen || !t.is_floating_point() || t.numel() == 0) return t;
    at::Tensor made = t.detach().clone();
    made.flatten()[static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(made.numel())))].fill_(number);
    return made.requires_grad_(t.requires_grad());
  });
}

std::string case_words(std::uint64_t seed, const Value& parameters) {
  std::string text = "seed " + std::to_string(seed);
  for (const Entry& entry : parameters.table()) text += ", " + entry.key + " = " + printable(to_toml(entry.value));
  return text;
}

bool too_large(Subject& subject, const ComponentInfo& info, const Fit& fit) {
  Stream stream(0, "fuzz");
  const Tensors tensors = make_tensors(info, fit.layout, stream, at::kFloat);
  const Instance instance(info.kind, origin_of(subject, info), creation_of(subject, info, fit.parameters, tensors));
  std::int64_t numbers = 0;
  for (const PartSpec& part : *instance.part_list()) {
    std::int64_t each = 1;
    for (const std::int64_t size : part.sizes) each *= size;
    numbers += each;
  }
  return numbers > kMostNumbers;
}

// What is wrong with one case; empty when nothing.
std::string run_case(Subject& subject, const ComponentInfo& info, std::uint64_t seed) {
  Stream stream(seed, "fuzz");
  Fit fit = callable(subject, info);
  fit.parameters = random_parameters(info, fit, stream);
  fit.layout.batch = 1 + static_cast<std::int64_t>(stream.below(9));
  fit.layout.classes = 2 + static_cast<std::int64_t>(stream.below(12));
  if (fit.layout.list > 1) fit.layout.list = 1 + static_cast<std::int64_t>(stream.below(3));
  const std::string words = case_words(seed, fit.parameters);
  const ActivityContext context("random case with " + words);
  try {
    if (too_large(subject, info, fit)) return {};
    const std::unique_ptr<Caller> caller = make_caller(subject, info, fit, {.seed = seed});
    const double scale = std::pow(10.0, -3.0 + 6.0 * stream.uniform());
    caller->inputs = changed(caller->inputs, [&](const PortTensors&, const at::Tensor& t) {
      return t.is_floating_point() ? (t.detach() * scale).requires_grad_(t.requires_grad()) : t;
    });
    if (stream.below(4) == 0) spoil_one(caller->inputs, stream);
    const std::vector<NamedTensor> results = caller->call();
    note_activity("the backward pass through '" + info.id + "'");
    if (info.kind == KDH_KIND_LOSS && results.front().value.requires_grad()) {
      gradients_of(results.front().value, side_of(caller->inputs, "student"));
    }
  } catch (const Error& error) {
    if (std::string(error.what()).find("and no text.") != std::string::npos) return words + ": fails without a word";
  } catch (const c10::Error& error) {
    return words + ": its backward pass fails: " + said(error);
  }
  return {};
}

Finding test_fuzz(Subject& subject, const ComponentInfo* info) {
  const Settings& settings = subject.settings();
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t cases = 0;
  while (cases < kCases && (cases < kFewCases || std::chrono::steady_clock::now() - begin < kTime)) {
    const std::uint64_t i = cases++;
    const std::uint64_t seed = settings.reproduce.value_or(derived_seed(settings.seed, "fuzz", i) % 1000000000);
    const std::string fault = run_case(subject, *info, seed);
    if (!fault.empty()) {
      return failed("fails for random parameters and inputs (" + fault + ").",
                    "Run the case alone with --only fuzz.random --reproduce " + std::to_string(seed) + ".");
    }
    if (settings.reproduce) return passed("is right for seed " + std::to_string(seed) + ".");
  }
  return passed(std::to_string(cases) + " cases from seed " + std::to_string(settings.seed) + ".");
}

}  // namespace

void add_fuzz_tests(std::vector<Test>& tests) {
  tests.push_back({.level = 9,
                   .name = "fuzz.random",
                   .kinds = {KDH_KIND_LOSS, KDH_KIND_MODEL, KDH_KIND_SCHEDULER, KDH_KIND_DATASET, KDH_KIND_TRANSFORM,
                             KDH_KIND_METRIC},
                   .needs = {"call.works"},
                   .run = test_fuzz,
                   .patience = 3.0});
}

}  // namespace kdhost::check
