// SPDX-License-Identifier: MIT
// For tests of shipped plugins: opens a plugin file as the host does, without records and search, and makes the
// parameters of a component from its defaults and a few settings.
#pragma once

#include <dlfcn.h>
#include <kdhost/abi.h>

#include <filesystem>
#include <kdhost_test_paths.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "tensor/arguments.hpp"
#include "tensor/aten.hpp"
#include "tensor/instance.hpp"

namespace kdhost::test {

/// The plugin of build/lib/kdhost/plugins/<library>.so.
inline const kdh_plugin& shipped_plugin(const std::string& library) {
  std::filesystem::path file = std::filesystem::path(kPluginDir) / library;
  file += ".so";
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  const auto query = reinterpret_cast<kdh_plugin_query_fn>(dlsym(handle, KDH_ENTRY_SYMBOL));
  if (query == nullptr) throw std::runtime_error(file.string() + " has no " KDH_ENTRY_SYMBOL);
  return *query(KDH_ABI_MAJOR, KDH_ABI_MINOR);
}

/// Its component `id`; null where it has none.
inline const kdh_component* find_shipped(const std::string& library, std::string_view id) {
  const kdh_plugin& plugin = shipped_plugin(library);
  for (uint64_t i = 0; i < plugin.n_components; ++i) {
    const auto* component = reinterpret_cast<const kdh_component*>(reinterpret_cast<const char*>(plugin.components) +
                                                                   i * plugin.component_size);
    if (view(component->id) == id) return component;
  }
  return nullptr;
}

inline const kdh_component& shipped(const std::string& library, std::string_view id) {
  if (const kdh_component* found = find_shipped(library, id)) return *found;
  throw std::runtime_error(library + ".so has no component " + std::string(id));
}

using Settings = std::vector<std::pair<std::string, std::variant<double, std::string, bool, std::vector<int64_t>>>>;

/// Declared defaults, with `settings` in place of some. A setting that is not declared is a mistake of the test.
inline Arguments arguments(const kdh_component& component, const Settings& settings) {
  Arguments made;
  std::size_t used = 0;
  for (uint64_t i = 0; i < component.n_params; ++i) {
    const kdh_param& param = component.params[i];
    const std::string name(view(param.name));
    const auto* given = [&]() -> const Settings::value_type* {
      for (const auto& s : settings)
        if (s.first == name) return &s;
      return nullptr;
    }();
    if (given == nullptr) {
      if (param.default_value.type != KDH_T_NONE) made.add(name, param.default_value);
      continue;
    }
    ++used;
    if (const auto* number = std::get_if<double>(&given->second)) {
      if (param.type == KDH_T_INT)
        made.add(name, static_cast<int64_t>(*number));
      else
        made.add(name, *number);
    } else if (const auto* text = std::get_if<std::string>(&given->second)) {
      made.add(name, std::string_view(*text));
    } else if (const auto* flag = std::get_if<bool>(&given->second)) {
      made.add(name, *flag);
    } else if (const auto& list = std::get<std::vector<int64_t>>(given->second); param.type == KDH_T_FLOAT_LIST) {
      const std::vector<double> numbers(list.begin(), list.end());
      kdh_value value{};
      value.type = KDH_T_FLOAT_LIST;
      value.count = numbers.size();
      value.u.floats = numbers.data();
      made.add(name, value);
    } else {
      made.add(name, std::span<const int64_t>(list));
    }
  }
  if (used != settings.size())
    throw std::runtime_error("a setting is no parameter of " + std::string(view(component.id)));
  return made;
}

inline Origin origin(const kdh_component& component, const std::string& library, std::string name) {
  return {&component, KDH_TIER_PORTABLE, library + ".so", Place{"run.toml", 7, 3}, std::move(name)};
}

/// Pseudo-random numbers in [-1, 1), the same in any language: the generator of the golden values. A linear
/// congruential sequence modulo 2^64 from `seed`; its upper 31 bits make the number. Each tensor starts anew.
inline at::Tensor generated(const std::vector<int64_t>& shape, uint64_t seed) {
  at::Tensor made = at::empty(shape, at::kDouble);
  auto* numbers = made.data_ptr<double>();
  uint64_t x = seed;
  for (int64_t i = 0; i < made.numel(); ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    numbers[i] = (static_cast<double>(x >> 33) / 2147483648.0) * 2.0 - 1.0;
  }
  return made;
}

}  // namespace kdhost::test
