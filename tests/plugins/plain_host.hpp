// SPDX-License-Identifier: MIT
// For tests of plugins that touch no tensor (schedulers, data sets): a host of a few functions, without LibTorch, and
// components called through the C interface as any host would call them.
#pragma once

#include <dlfcn.h>
#include <kdhost/abi.h>

#include <deque>
#include <kdhost_test_paths.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace kdhost::test {

inline std::string_view text_of(kdh_str s) {
  return {s.data == nullptr ? "" : s.data, static_cast<std::size_t>(s.size)};
}
inline kdh_str as_str(std::string_view s) { return {s.data(), s.size()}; }

/// What a plugin function refused, with the status it gave.
struct Refused : std::runtime_error {
  Refused(kdh_status s, const std::string& text) : std::runtime_error(text), status(s) {}
  kdh_status status;
};

inline std::string& last_text() {
  static std::string text;
  return text;
}

inline const kdh_host& plain_host() {
  static const kdh_host host = [] {
    kdh_host h{};
    h.struct_size = sizeof h;
    h.abi_major = KDH_ABI_MAJOR;
    h.abi_minor = KDH_ABI_MINOR;
    h.set_error = [](const kdh_host*, kdh_status status, kdh_str text) {
      last_text() = std::string(text_of(text));
      return status;
    };
    h.last_error = [](const kdh_host*) { return as_str(last_text()); };
    h.log = [](const kdh_host*, int32_t, kdh_str) {};
    h.parallel_for = [](const kdh_host*, int64_t begin, int64_t end, int64_t grain, kdh_range_fn f, void* ctx) {
      for (int64_t at = begin; at < end; at += grain) f(ctx, at, at + grain < end ? at + grain : end);
    };
    return h;
  }();
  return host;
}

inline const kdh_component& offered(const std::string& library, std::string_view id) {
  const std::string file = std::string(kPluginDir) + "/" + library + ".so";
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  const auto query = reinterpret_cast<kdh_plugin_query_fn>(dlsym(handle, KDH_ENTRY_SYMBOL));
  const kdh_plugin& plugin = *query(KDH_ABI_MAJOR, KDH_ABI_MINOR);
  for (uint64_t i = 0; i < plugin.n_components; ++i)
    if (text_of(plugin.components[i].id) == id) return plugin.components[i];
  throw std::runtime_error(file + " has no component " + std::string(id));
}

using Setting =
    std::variant<double, std::string, bool, std::vector<double>, std::vector<int64_t>, std::vector<std::string>>;
using Settings = std::vector<std::pair<std::string, Setting>>;

/// Named values with the memory behind them. Not copyable: the values point into it.
class NamedValues {
 public:
  NamedValues() = default;
  NamedValues(const NamedValues&) = delete;
  NamedValues& operator=(const NamedValues&) = delete;

  /// A double becomes an integer where `type` says so.
  void add(std::string_view name, const Setting& setting, kdh_type type = KDH_T_NONE) {
    kdh_value v{};
    if (const auto* number = std::get_if<double>(&setting)) {
      v.type = type == KDH_T_INT ? KDH_T_INT : KDH_T_FLOAT;
      if (type == KDH_T_INT)
        v.u.i = static_cast<int64_t>(*number);
      else
        v.u.f = *number;
    } else if (const auto* text = std::get_if<std::string>(&setting)) {
      const std::string& kept = texts_.emplace_back(*text);
      v.type = KDH_T_STRING;
      v.count = kept.size();
      v.u.s = kept.data();
    } else if (const auto* flag = std::get_if<bool>(&setting)) {
      v.type = KDH_T_BOOL;
      v.u.i = *flag ? 1 : 0;
    } else if (const auto* numbers = std::get_if<std::vector<double>>(&setting)) {
      v.type = KDH_T_FLOAT_LIST;
      v.count = numbers->size();
      v.u.floats = floats_.emplace_back(*numbers).data();
    } else if (const auto* integers = std::get_if<std::vector<int64_t>>(&setting)) {
      v.type = KDH_T_INT_LIST;
      v.count = integers->size();
      v.u.ints = integers_.emplace_back(*integers).data();
    } else {
      auto& list = lists_.emplace_back();
      for (const std::string& s : std::get<std::vector<std::string>>(setting))
        list.push_back(as_str(texts_.emplace_back(s)));
      v.type = KDH_T_STRING_LIST;
      v.count = list.size();
      v.u.strings = list.data();
    }
    add(name, v);
  }
  void add(std::string_view name, const kdh_value& value) {
    args_.push_back({as_str(texts_.emplace_back(name)), value});
  }
  const std::vector<kdh_arg>& args() const { return args_; }

 private:
  std::vector<kdh_arg> args_;
  std::deque<std::string> texts_;
  std::deque<std::vector<double>> floats_;
  std::deque<std::vector<int64_t>> integers_;
  std::deque<std::vector<kdh_str>> lists_;
};

/// One instance of a component, its parameters at their defaults but for `settings`.
class PlainInstance {
 public:
  PlainInstance(const std::string& library, std::string_view id, const Settings& settings, const Settings& facts = {})
      : component_(offered(library, id)) {
    std::size_t used = 0;
    for (uint64_t i = 0; i < component_.n_params; ++i) {
      const kdh_param& param = component_.params[i];
      const Setting* given = nullptr;
      for (const auto& [name, setting] : settings)
        if (name == text_of(param.name)) given = &setting;
      if (given != nullptr) {
        params_.add(text_of(param.name), *given, param.type);
        ++used;
      } else {
        params_.add(text_of(param.name), param.default_value);
      }
    }
    if (used != settings.size()) throw std::runtime_error("a setting is no parameter of " + std::string(id));
    NamedValues known;
    for (const auto& [name, setting] : facts) known.add(name, setting);
    kdh_create how{};
    how.struct_size = sizeof how;
    how.host = &plain_host();
    how.params = params_.args().data();
    how.n_params = params_.args().size();
    how.shape_size = sizeof(kdh_shape);
    how.facts = known.args().data();
    how.n_facts = known.args().size();
    check(component_.create(&component_, &how, &self_, &table_));
  }
  ~PlainInstance() {
    if (self_ != nullptr) component_.destroy(self_);
  }
  PlainInstance(const PlainInstance&) = delete;
  PlainInstance& operator=(const PlainInstance&) = delete;

  void* self() const { return self_; }
  template <class Table>
  const Table& table() const {
    return *static_cast<const Table*>(table_);
  }
  const std::vector<kdh_arg>& params() const { return params_.args(); }
  static void check(kdh_status status) {
    if (status != KDH_OK) throw Refused(status, last_text());
  }

 private:
  const kdh_component& component_;
  NamedValues params_;
  void* self_ = nullptr;
  const void* table_ = nullptr;
};

}  // namespace kdhost::test
