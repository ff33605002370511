// SPDX-License-Identifier: MIT
// Parameters of a component: the table of the experiment file checked against what the component declares, with
// defaults filled in, in the form the C interface wants. Checked before `create` runs, so that a component never sees
// a wrong parameter.
#pragma once

#include <kdhost/abi.h>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/value.hpp"
#include "plugin/record.hpp"

namespace kdhost {

/// Resolved parameters of one component, owning everything the kdh_args point to. Movable, not copyable.
class Parameters {
 public:
  Parameters() = default;
  /// `table` must have passed check_parameters against `component`; it holds every declared parameter that has a value.
  Parameters(const ComponentInfo& component, const Value& table);
  Parameters(Parameters&&) noexcept = default;
  Parameters& operator=(Parameters&&) noexcept = default;

  /// One kdh_arg for each declared parameter, in declaration order; type NONE where it has no value.
  const kdh_arg* data() const { return args_.data(); }
  std::size_t size() const { return args_.size(); }
  /// Place of a parameter in data().
  std::optional<std::size_t> index(std::string_view name) const;
  /// The current value of a number, e.g. the base of a schedule.
  double number(std::size_t index) const;
  /// Sets a scheduled number; integers are rounded to the nearest.
  void set_number(std::size_t index, double value);
  /// Every parameter with its value: for resolved.toml and the manifest.
  const Value& table() const { return table_; }

 private:
  void add(const ParamInfo& param, const Value* value);

  std::vector<kdh_arg> args_;
  std::vector<kdh_type> types_;
  std::deque<std::string> strings_;
  std::deque<std::vector<std::int64_t>> ints_;
  std::deque<std::vector<double>> floats_;
  std::deque<std::vector<kdh_str>> lists_;
  Value table_;
};

/// Checks `given` (a table) against the parameters of `component` and returns the resolved table: defaults
/// filled in, integers turned into numbers where numbers are wanted, paths made absolute. Every problem is added to
/// `problems`; `place` stands for what is missing altogether.
Value check_parameters(const ComponentInfo& component, const Value& given, const Place& place,
                       std::vector<Message>& problems);

/// check_parameters that throws all problems as one Error (exit 3).
Parameters resolve_parameters(const ComponentInfo& component, const Value& given, const Place& place);

/// A number against the bounds of a parameter. NaN is in no range.
bool in_range(const ParamInfo& param, double number);

/// One value against one parameter: adds one problem and returns false where it does not fit.
bool check_parameter(const ComponentInfo& component, const ParamInfo& param, const Value& value,
                     std::vector<Message>& problems);

}  // namespace kdhost
