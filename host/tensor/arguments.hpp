// SPDX-License-Identifier: MIT
// Named values that own their memory and show themselves as the kdh_arg arrays of the plugin boundary. Component
// parameters, the facts of a run and the tensors bound to ports travel like this. Built once; only values change later.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/handle.hpp"

namespace kdhost {

/// Parameters and facts: numbers, flags, texts and lists of them; no tensors.
class Arguments {
 public:
  Arguments() = default;
  /// A deep copy. Tensors and generators cannot be parameters: Error (internal).
  explicit Arguments(std::span<const kdh_arg> values);
  Arguments(const Arguments& other) : Arguments(other.values()) {}
  Arguments(Arguments&&) noexcept = default;
  Arguments& operator=(const Arguments& other) { return *this = Arguments(other); }
  Arguments& operator=(Arguments&&) noexcept = default;

  Arguments& add(std::string_view name, const kdh_value& value);
  Arguments& add(std::string_view name, bool value);
  Arguments& add(std::string_view name, int64_t value);
  Arguments& add(std::string_view name, int value) { return add(name, static_cast<int64_t>(value)); }
  Arguments& add(std::string_view name, double value);
  Arguments& add(std::string_view name, std::string_view value);
  Arguments& add(std::string_view name, const char* value) { return add(name, std::string_view(value)); }
  Arguments& add(std::string_view name, const std::vector<std::string>& values);
  Arguments& add(std::string_view name, std::span<const int64_t> values);

  /// Valid until the next add.
  std::span<const kdh_arg> values() const { return values_; }
  std::optional<std::size_t> find(std::string_view name) const;

  /// The number at `index`: FLOAT, INT or BOOL; NaN for anything else.
  double number(std::size_t index) const;
  /// Gives a scheduled parameter its value of this step; an INT is rounded to the nearest, a BOOL is value != 0.
  void set_number(std::size_t index, double value);

 private:
  kdh_str keep(std::string_view text);

  std::vector<kdh_arg> values_;
  // Deques: what they hold never moves when they grow, nor when the whole object is moved.
  std::deque<std::string> texts_;
  std::deque<std::vector<int64_t>> ints_;
  std::deque<std::vector<double>> floats_;
  std::deque<std::vector<kdh_str>> strings_;
};

/// The tensors bound to a component's ports. Ports are added once; before each call only the borrowed handles are
/// refreshed, so a call allocates nothing. The caller keeps the tensors alive until the call returns.
class Inputs {
 public:
  /// A port with one tensor. Returns its slot.
  std::size_t add(std::string_view port);
  /// A list port with `count` tensors. Returns its slot.
  std::size_t add_list(std::string_view port, std::size_t count);

  void set(std::size_t slot, const at::Tensor& value) { ports_[slot].value.u.tensor = lend(value); }
  void set(std::size_t slot, std::size_t element, const at::Tensor& value) {
    lists_of_[slot]->at(element) = lend(value);
  }

  std::size_t size() const { return ports_.size(); }
  std::string_view port(std::size_t slot) const { return view(ports_[slot].name); }
  std::optional<std::size_t> find(std::string_view port) const;
  std::span<const kdh_arg> values() const { return ports_; }

  Inputs() = default;
  Inputs(Inputs&&) noexcept = default;
  Inputs& operator=(Inputs&&) noexcept = default;
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;

 private:
  std::vector<kdh_arg> ports_;
  std::vector<std::vector<kdh_tensor>*> lists_of_;  // by slot; null for a single tensor
  std::deque<std::string> names_;
  std::deque<std::vector<kdh_tensor>> lists_;
};

}  // namespace kdhost
