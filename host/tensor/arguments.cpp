// SPDX-License-Identifier: MIT
// Owning lists of named values; see arguments.hpp.
#include "tensor/arguments.hpp"

#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace kdhost {

Arguments::Arguments(std::span<const kdh_arg> values) {
  values_.reserve(values.size());
  for (const kdh_arg& argument : values) add(view(argument.name), argument.value);
}

kdh_str Arguments::keep(std::string_view text) { return borrow(texts_.emplace_back(text)); }

Arguments& Arguments::add(std::string_view name, const kdh_value& value) {
  kdh_value copy = value;
  const auto count = static_cast<std::size_t>(value.count);
  switch (value.type) {
    case KDH_T_NONE:
    case KDH_T_INT:
    case KDH_T_FLOAT:
    case KDH_T_BOOL:
      break;
    case KDH_T_STRING:
      copy.u.s = keep({value.u.s != nullptr ? value.u.s : "", count}).data;
      break;
    case KDH_T_INT_LIST:
      copy.u.ints = ints_.emplace_back(value.u.ints, value.u.ints + count).data();
      break;
    case KDH_T_FLOAT_LIST:
      copy.u.floats = floats_.emplace_back(value.u.floats, value.u.floats + count).data();
      break;
    case KDH_T_STRING_LIST: {
      auto& list = strings_.emplace_back();
      list.reserve(count);
      for (std::size_t i = 0; i < count; ++i) list.push_back(keep(view(value.u.strings[i])));
      copy.u.strings = list.data();
      break;
    }
    default:
      throw Error(Exit::internal, Message{.where = "parameter " + quoted(std::string(name)),
                                          .what = "has value type " + std::to_string(value.type) + ".",
                                          .expected = "Expected a number, a flag, a text or a list of them."});
  }
  values_.push_back({keep(name), copy});
  return *this;
}

Arguments& Arguments::add(std::string_view name, bool value) {
  kdh_value made{};
  made.type = KDH_T_BOOL;
  made.u.i = value ? 1 : 0;
  return add(name, made);
}

Arguments& Arguments::add(std::string_view name, int64_t value) {
  kdh_value made{};
  made.type = KDH_T_INT;
  made.u.i = value;
  return add(name, made);
}

Arguments& Arguments::add(std::string_view name, double value) {
  kdh_value made{};
  made.type = KDH_T_FLOAT;
  made.u.f = value;
  return add(name, made);
}

Arguments& Arguments::add(std::string_view name, std::string_view value) {
  kdh_value made{};
  made.type = KDH_T_STRING;
  made.count = value.size();
  made.u.s = value.data();
  return add(name, made);
}

Arguments& Arguments::add(std::string_view name, const std::vector<std::string>& values) {
  std::vector<kdh_str> list;
  list.reserve(values.size());
  for (const std::string& text : values) list.push_back(borrow(text));
  kdh_value made{};
  made.type = KDH_T_STRING_LIST;
  made.count = list.size();
  made.u.strings = list.data();
  return add(name, made);
}

Arguments& Arguments::add(std::string_view name, std::span<const int64_t> values) {
  kdh_value made{};
  made.type = KDH_T_INT_LIST;
  made.count = values.size();
  made.u.ints = values.data();
  return add(name, made);
}

std::optional<std::size_t> Arguments::find(std::string_view name) const {
  for (std::size_t i = 0; i < values_.size(); ++i)
    if (view(values_[i].name) == name) return i;
  return std::nullopt;
}

double Arguments::number(std::size_t index) const {
  const kdh_value& value = values_.at(index).value;
  switch (value.type) {
    case KDH_T_FLOAT:
      return value.u.f;
    case KDH_T_INT:
    case KDH_T_BOOL:
      return static_cast<double>(value.u.i);
    default:
      return std::numeric_limits<double>::quiet_NaN();
  }
}

void Arguments::set_number(std::size_t index, double number) {
  kdh_value& value = values_.at(index).value;
  if (value.type == KDH_T_INT)
    value.u.i = std::llround(number);
  else if (value.type == KDH_T_BOOL)
    value.u.i = number != 0.0 ? 1 : 0;
  else
    value.u.f = number;
}

std::size_t Inputs::add(std::string_view port) {
  kdh_arg argument{};
  argument.name = borrow(names_.emplace_back(port));
  argument.value.type = KDH_T_TENSOR;
  ports_.push_back(argument);
  lists_of_.push_back(nullptr);
  return ports_.size() - 1;
}

std::size_t Inputs::add_list(std::string_view port, std::size_t count) {
  auto& list = lists_.emplace_back(count, nullptr);
  kdh_arg argument{};
  argument.name = borrow(names_.emplace_back(port));
  argument.value.type = KDH_T_TENSOR_LIST;
  argument.value.count = count;
  argument.value.u.tensors = list.data();
  ports_.push_back(argument);
  lists_of_.push_back(&list);
  return ports_.size() - 1;
}

std::optional<std::size_t> Inputs::find(std::string_view port) const {
  for (std::size_t i = 0; i < ports_.size(); ++i)
    if (view(ports_[i].name) == port) return i;
  return std::nullopt;
}

}  // namespace kdhost
