// SPDX-License-Identifier: MIT
// Level 4 of the validator: instances are made, refused and destroyed.
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

#include "base/text.hpp"
#include "check/caller.hpp"
#include "check/child.hpp"
#include "check/suite.hpp"
#include "plugin/description.hpp"
#include "plugin/parameters.hpp"

namespace kdhost::check {
namespace {

constexpr int kLives = 1000;
constexpr int kFewLives = 5;

std::unique_ptr<OpenInstance> make_instance(Subject& subject, const ComponentInfo& info, const Value& parameters) {
  Stream stream(subject.settings().seed, "check");
  const Tensors tensors = make_tensors(info, creatable(subject, info).layout, stream, at::kFloat);
  return std::make_unique<OpenInstance>(info.kind, origin_of(subject, info),
                                        creation_of(subject, info, parameters, tensors));
}

std::unique_ptr<OpenInstance> make_instance(Subject& subject, const ComponentInfo& info) {
  return make_instance(subject, info, creatable(subject, info).parameters);
}

Finding test_defaults(Subject& subject, const ComponentInfo* info) {
  for (const ParamInfo& param : info->params) {
    if (wants_a_file(subject, *info, param)) {
      return skipped("needs a file, which its parameter '" + param.name + "' names.");
    }
  }
  try {
    creatable(subject, *info);
  } catch (const Error& error) {
    const bool named_by_user =
        info->kind == KDH_KIND_DATASET &&
        std::any_of(info->params.begin(), info->params.end(), [](const ParamInfo& p) { return p.is_path; });
    if (error.exit() == Exit::data || named_by_user) return skipped("its data is not here: " + said(error));
    Finding finding = failed(error, subject.file().string());
    finding.what = "cannot be created with its defaults: " + finding.what;
    if (finding.mend.empty()) {
      finding.mend = "Choose defaults that work, or document the shapes of its ports in brackets, as \"[N, C]\".";
    }
    return finding;
  }
  return passed();
}

// The values at the edge of what a parameter allows, and each of its choices. Of a list, whose length says more than
// its range, the first element of the default is replaced.
std::vector<Value> edge_values(const ComponentInfo& info, const ParamInfo& param) {
  std::vector<Value> values;
  if (param.is_list() && (!param.default_value || param.default_value->list().empty())) return values;
  const auto add = [&](const Value& value) {
    if (!param.is_list()) {
      values.push_back(value);
      return;
    }
    values.push_back(*param.default_value);
    values.back().list().front() = value;
  };
  for (const std::string& choice : param.choices) add(Value(choice));
  if (param.type == KDH_T_BOOL) {
    add(Value(true));
    add(Value(false));
  }
  const bool whole = param.type == KDH_T_INT || param.type == KDH_T_INT_LIST;
  const auto bound = [&](double limit, bool exclusive, double towards) {
    if (!std::isfinite(limit) || param.type == KDH_T_STRING || param.type == KDH_T_STRING_LIST) return;
    // A data set makes its samples in create: the largest number allowed is not one to try.
    if (info.kind == KDH_KIND_DATASET && std::abs(limit) > 1e5) return;
    const double step = towards > limit ? 1.0 : -1.0;
    if (whole) {
      add(Value(static_cast<std::int64_t>(limit + (exclusive ? step : 0.0))));
    } else {
      add(Value(exclusive ? limit + step * std::max(1e-6, 1e-6 * std::abs(limit)) : limit));
    }
  };
  bound(param.min, param.min_exclusive, INFINITY);
  bound(param.max, param.max_exclusive, -INFINITY);
  return values;
}

Finding test_edges(Subject& subject, const ComponentInfo* info) {
  for (const ParamInfo& param : info->params) {
    for (const Value& value : edge_values(*info, param)) {
      Value parameters = creatable(subject, *info).parameters;
      parameters.set(param.name, value);
      std::vector<Message> problems;
      check_parameters(*info, parameters, {}, problems);
      if (!problems.empty()) continue;
      note_activity("create of '" + info->id + "' with " + param.name + " = " + to_toml(value));
      try {
        make_instance(subject, *info, parameters);
      } catch (const Error& error) {
        // Two parameters together may be refused; a range can only be declared for each alone.
        return warned(
            "allows " + param.name + " = " + printable(to_toml(value)) + ", but create refuses it: " + said(error),
            "Declare the range that create accepts, or accept the range that is declared.");
      }
    }
  }
  return passed();
}

// A value of the right type that is just outside of a bound; nothing where there is no bound.
std::vector<Value> outside_values(const ParamInfo& param) {
  std::vector<Value> values;
  const auto add = [&](const Value& value) { values.push_back(param.is_list() ? Value(ValueList{value}) : value); };
  if (!param.choices.empty()) add(Value("no such choice"));
  const bool whole = param.type == KDH_T_INT || param.type == KDH_T_INT_LIST;
  const auto beyond = [&](double limit, bool exclusive, double direction) {
    if (!std::isfinite(limit) || std::abs(limit) > 9e15) return;
    if (whole) {
      add(Value(static_cast<std::int64_t>(limit + (exclusive ? 0.0 : direction))));
    } else if (param.type == KDH_T_FLOAT || param.type == KDH_T_FLOAT_LIST) {
      add(Value(exclusive ? limit : std::nextafter(limit, direction * INFINITY)));
    }
  };
  beyond(param.min, param.min_exclusive, -1.0);
  beyond(param.max, param.max_exclusive, 1.0);
  const bool text = param.type == KDH_T_STRING;
  add(text ? Value(std::int64_t{3}) : Value("a word"));
  return values;
}

// Every parameter with a value of a type that it does not have.
Arguments wrong_types(const ComponentInfo& info) {
  Arguments arguments;
  for (const ParamInfo& param : info.params) {
    if (param.type == KDH_T_STRING) {
      arguments.add(param.name, std::int64_t{3});
    } else {
      arguments.add(param.name, std::string_view("a word"));
    }
  }
  return arguments;
}

Finding test_refusals(Subject& subject, const ComponentInfo* info) {
  for (const ParamInfo& param : info->params) {
    for (const Value& value : outside_values(param)) {
      if (param.is_list() && !value.is(Value::Type::list)) continue;
      Value parameters = creatable(subject, *info).parameters;
      parameters.set(param.name, value);
      std::vector<Message> problems;
      check_parameters(*info, parameters, {}, problems);
      if (problems.empty()) {
        return failed("parameter '" + param.name + "' is not refused when it is " + printable(to_toml(value)) + ".",
                      "Declare its range or choices.");
      }
    }
  }
  if (info->params.empty()) return passed();
  // The host never hands over such values; a component that trusts their types all the same must not end the process.
  Stream stream(subject.settings().seed, "check");
  const Fit& fit = creatable(subject, *info);
  Creation creation = creation_of(subject, *info, fit.parameters, make_tensors(*info, fit.layout, stream, at::kFloat));
  creation.params = wrong_types(*info);
  note_activity("create of '" + info->id + "' with parameters of wrong types");
  try {
    const OpenInstance instance(info->kind, origin_of(subject, *info), std::move(creation));
  } catch (const Error& error) {
    if (error.what() == std::string_view()) return failed("refuses wrong types without a text.", "Set an error text.");
  }
  return passed();
}

Finding test_other_thread(Subject& subject, const ComponentInfo* info) {
  std::unique_ptr<OpenInstance> instance = make_instance(subject, *info);
  note_activity("destroy of '" + info->id + "' on another thread");
  std::thread([&] { instance.reset(); }).join();
  return passed();
}

Finding test_independent(Subject& subject, const ComponentInfo* info) {
  std::unique_ptr<Caller> first;
  std::vector<NamedTensor> alone;
  try {
    first = make_caller(subject, *info);
    alone = kept(first->call());
  } catch (const Error& error) {
    return skipped("it cannot be called: " + said(error));
  }
  const std::unique_ptr<Caller> second = make_caller(subject, *info, {.seed = 5});
  second->call();
  const bool beside = same_bits(alone, first->call());
  first.reset();
  const std::unique_ptr<Caller> third = make_caller(subject, *info);
  second->call();
  const bool after = same_bits(alone, third->call());
  if (beside && after) return passed();
  return failed(std::string("gives another result ") +
                    (beside ? "when an earlier instance was destroyed." : "while a second instance is used."),
                "Keep everything in the instance, nothing in global or static variables.");
}

std::size_t heap_in_use() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

Finding test_flat_memory(Subject& subject, const ComponentInfo* info) {
  Stream stream(subject.settings().seed, "check");
  const Fit& fit = creatable(subject, *info);
  const Tensors tensors = make_tensors(*info, fit.layout, stream, at::kFloat);
  const Origin origin = origin_of(subject, *info);
  const auto live_once = [&] {
    const Instance instance(info->kind, origin, creation_of(subject, *info, fit.parameters, tensors));
  };
  for (int i = 0; i < kFewLives; ++i) live_once();
  const std::size_t before = heap_in_use();
  const auto begin = std::chrono::steady_clock::now();
  int lives = 0;
  // Data sets may take long to open.
  while (lives < kLives && (lives < kFewLives || std::chrono::steady_clock::now() - begin < std::chrono::seconds(4))) {
    live_once();
    ++lives;
  }
  const std::size_t after = heap_in_use();
  const std::size_t grown = after > before ? after - before : 0;
  const std::size_t each = grown / static_cast<std::size_t>(lives);
  if (grown < 16384 || each < 24) return passed();
  return failed("loses " + std::to_string(each) + " bytes each time an instance is created and destroyed (" +
                    std::to_string(lives) + " times).",
                "Free in destroy what create allocates; in C++ let members own it.");
}

Finding test_table(Subject& subject, const ComponentInfo* info) {
  const std::unique_ptr<OpenInstance> instance = make_instance(subject, *info);
  std::uint64_t size = 0;
  std::memcpy(&size, instance->vtable(), sizeof size);
  if (size < sizeof size || size > 4096 || size % sizeof(void*) != 0) {
    return failed("gives a table of functions whose struct_size is " + std::to_string(size) + ".",
                  "Set struct_size to sizeof the table's type.");
  }
  // The wrapper of the kind refuses a table without the functions it needs, and does without those that are optional.
  make_caller(subject, *info, creatable(subject, *info));
  return passed();
}

// Structures as a host of a later minor version would hand them over: longer than this plugin knows.
namespace later_host {

const kdh_component* real = nullptr;

struct LongerCreate {
  kdh_create known{};
  std::uint64_t unknown[8]{};
};
struct LongerShape {
  kdh_shape known{};
  std::uint64_t unknown[2]{};
};

kdh_status create(const kdh_component*, const kdh_create* given, void** self, const void** vtable) {
  LongerCreate longer;
  longer.known = *given;
  longer.known.struct_size = sizeof longer;
  std::vector<LongerShape> shapes(static_cast<std::size_t>(given->n_shapes));
  for (std::size_t i = 0; i < shapes.size(); ++i) shapes[i].known = element(given->shapes, i, given->shape_size);
  longer.known.shapes = shapes.empty() ? given->shapes : &shapes[0].known;
  longer.known.shape_size = sizeof(LongerShape);
  std::fill(std::begin(longer.unknown), std::end(longer.unknown), 0xabababababababab);
  return real->create(real, &longer.known, self, vtable);
}

}  // namespace later_host

Finding test_later_host(Subject& subject, const ComponentInfo* info) {
  const Fit& fit = creatable(subject, *info);
  Stream stream(subject.settings().seed, "check");
  Creation creation = creation_of(subject, *info, fit.parameters, make_tensors(*info, fit.layout, stream, at::kFloat));
  Origin origin = origin_of(subject, *info);
  later_host::real = origin.component;
  kdh_component component = *origin.component;
  component.create = later_host::create;
  origin.component = &component;
  note_activity("create of '" + info->id + "' by a host of a later version");
  try {
    const Instance instance(info->kind, origin, std::move(creation));
  } catch (const Error& error) {
    return failed("cannot be created by a host of a later minor version, whose structures are longer: " + said(error),
                  "Walk arrays with the stride that stands beside them, and accept a larger struct_size.");
  }
  return passed();
}

}  // namespace

void add_life_tests(std::vector<Test>& tests) {
  const std::vector<kdh_kind> all{KDH_KIND_LOSS,    KDH_KIND_MODEL,     KDH_KIND_SCHEDULER,
                                  KDH_KIND_DATASET, KDH_KIND_TRANSFORM, KDH_KIND_METRIC};
  const std::vector<std::string> described{"load.bound", "load.query", "load.description", "load.agrees"};
  const std::vector<std::string> created{"life.defaults"};
  const auto add = [&](const char* name, const std::vector<std::string>& needs,
                       Finding (*run)(Subject&, const ComponentInfo*)) {
    tests.push_back({.level = 4, .name = name, .kinds = all, .needs = needs, .run = run});
  };
  add("life.defaults", described, test_defaults);
  add("life.bounds", created, test_edges);
  add("life.refusals", created, test_refusals);
  add("life.other_thread", created, test_other_thread);
  add("life.independent", created, test_independent);
  add("life.memory", created, test_flat_memory);
  add("life.table", created, test_table);
  add("life.later_host", created, test_later_host);
}

}  // namespace kdhost::check
