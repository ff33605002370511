// SPDX-License-Identifier: MIT
// Checking and resolving of component parameters, see parameters.hpp.
#include "plugin/parameters.hpp"

#include <algorithm>
#include <cmath>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "config/layers.hpp"

namespace kdhost {
namespace {

kdh_str view(const std::string& text) { return {text.data(), text.size()}; }

// "temperature" with its owner, as every message begins.
std::string param_words(const ComponentInfo& component, const ParamInfo& param) {
  return "parameter '" + param.name + "' of '" + component.id + "'";
}

std::string expectation(const ParamInfo& param) {
  std::string out = "Expected " + param_type_words(param.type);
  const std::string range = range_words(param);
  if (!range.empty()) out += (param.is_list() ? ", each " : ", ") + range;
  return out + ".";
}

bool type_fits(const ParamInfo& param, const Value& value) {
  const auto all = [&](auto&& element_fits) {
    return value.is(Value::Type::list) && std::all_of(value.list().begin(), value.list().end(), element_fits);
  };
  switch (param.type) {
    case KDH_T_INT:
      return value.is(Value::Type::integer);
    case KDH_T_FLOAT:
      return value.is_numeric();
    case KDH_T_BOOL:
      return value.is(Value::Type::boolean);
    case KDH_T_STRING:
      return value.is(Value::Type::string);
    case KDH_T_INT_LIST:
      return all([](const Value& v) { return v.is(Value::Type::integer); });
    case KDH_T_FLOAT_LIST:
      return all([](const Value& v) { return v.is_numeric(); });
    case KDH_T_STRING_LIST:
      return all([](const Value& v) { return v.is(Value::Type::string); });
    default:
      return false;
  }
}

bool value_in_range(const ParamInfo& param, const Value& value) {
  if (value.is(Value::Type::string)) {
    return param.choices.empty() ||
           std::find(param.choices.begin(), param.choices.end(), value.string()) != param.choices.end();
  }
  return !value.is_numeric() || in_range(param, value.number());
}

// Integers become numbers where numbers are declared, and paths absolute, so that resolved.toml says what the component
// gets and means the same wherever it lies.
Value as_declared(const ParamInfo& param, const Value& value) {
  if (param.is_path && !value.string().empty())
    return Value(resolve_path(value.string(), value.place()), value.place());
  if (param.type == KDH_T_FLOAT && value.is(Value::Type::integer)) return Value(value.number(), value.place());
  if (param.type == KDH_T_FLOAT_LIST) {
    ValueList list;
    for (const Value& v : value.list()) list.emplace_back(v.number(), v.place());
    return Value(std::move(list), value.place());
  }
  return value;
}

}  // namespace

bool in_range(const ParamInfo& param, double number) {
  if (std::isnan(number)) return false;
  if (!std::isnan(param.min) && (param.min_exclusive ? number <= param.min : number < param.min)) return false;
  return std::isnan(param.max) || (param.max_exclusive ? number < param.max : number <= param.max);
}

bool check_parameter(const ComponentInfo& component, const ParamInfo& param, const Value& value,
                     std::vector<Message>& problems) {
  const auto report = [&](const Value& culprit, const std::string& mend) {
    Message message;
    message.place = culprit.place().known() ? culprit.place() : value.place();
    message.what = param_words(component, param) + " is " + printable(to_toml(culprit)) + ".";
    message.expected = expectation(param);
    message.mend = mend;
    problems.push_back(std::move(message));
  };
  if (!type_fits(param, value)) {
    report(value, "");
    return false;
  }
  const auto mend = [&](const Value& v) {
    return v.is(Value::Type::string) ? did_you_mean(v.string(), param.choices) : std::string();
  };
  if (!value.is(Value::Type::list)) {
    if (value_in_range(param, value)) return true;
    report(value, mend(value));
    return false;
  }
  for (const Value& v : value.list()) {
    if (value_in_range(param, v)) continue;
    report(v, mend(v));
    return false;
  }
  return true;
}

Value check_parameters(const ComponentInfo& component, const Value& given, const Place& place,
                       std::vector<Message>& problems) {
  std::vector<std::string> names;
  for (const ParamInfo& param : component.params) names.push_back(param.name);

  Value resolved;
  resolved.set_place(given.place());
  for (const Entry& entry : given.table()) {
    const ParamInfo* param = component.param(entry.key);
    if (param == nullptr) {
      Message message;
      message.place = entry.key_place.known() ? entry.key_place : place;
      message.what = "'" + component.id + "' has no parameter " + kdhost::quoted(entry.key) + ".";
      message.expected = names.empty() ? "It takes none." : "It has: " + join(names) + ".";
      message.mend = did_you_mean(entry.key, names);
      problems.push_back(std::move(message));
    } else if (check_parameter(component, *param, entry.value, problems)) {
      resolved.set(param->name, as_declared(*param, entry.value), entry.key_place);
    }
  }
  for (const ParamInfo& param : component.params) {
    if (given.find(param.name) != nullptr) continue;
    if (param.default_value) {
      resolved.set(param.name, as_declared(param, *param.default_value));
    } else if (param.required) {
      Message message;
      message.place = place;
      message.what = param_words(component, param) + " is missing.";
      message.expected = expectation(param);
      message.mend = "Write params = { " + param.name + " = ... }.";
      problems.push_back(std::move(message));
    }
  }
  return resolved;
}

Parameters resolve_parameters(const ComponentInfo& component, const Value& given, const Place& place) {
  std::vector<Message> problems;
  const Value table = check_parameters(component, given, place, problems);
  if (!problems.empty()) throw Error(Exit::experiment, std::move(problems));
  return Parameters(component, table);
}

Parameters::Parameters(const ComponentInfo& component, const Value& table) : table_(table) {
  args_.reserve(component.params.size());
  for (const ParamInfo& param : component.params) add(param, table.find(param.name));
}

void Parameters::add(const ParamInfo& param, const Value* value) {
  kdh_arg arg{};
  arg.name = view(strings_.emplace_back(param.name));
  types_.push_back(param.type);
  if (value != nullptr) {
    arg.value.type = param.type;
    switch (param.type) {
      case KDH_T_INT:
        arg.value.u.i = value->integer();
        break;
      case KDH_T_FLOAT:
        arg.value.u.f = value->number();
        break;
      case KDH_T_BOOL:
        arg.value.u.i = value->boolean() ? 1 : 0;
        break;
      case KDH_T_STRING: {
        const std::string& text = strings_.emplace_back(value->string());
        arg.value.count = text.size();
        arg.value.u.s = text.data();
        break;
      }
      case KDH_T_INT_LIST: {
        std::vector<std::int64_t>& list = ints_.emplace_back();
        for (const Value& v : value->list()) list.push_back(v.integer());
        arg.value.count = list.size();
        arg.value.u.ints = list.data();
        break;
      }
      case KDH_T_FLOAT_LIST: {
        std::vector<double>& list = floats_.emplace_back();
        for (const Value& v : value->list()) list.push_back(v.number());
        arg.value.count = list.size();
        arg.value.u.floats = list.data();
        break;
      }
      default: {
        std::vector<kdh_str>& list = lists_.emplace_back();
        for (const Value& v : value->list()) list.push_back(view(strings_.emplace_back(v.string())));
        arg.value.count = list.size();
        arg.value.u.strings = list.data();
        break;
      }
    }
  }
  args_.push_back(arg);
}

std::optional<std::size_t> Parameters::index(std::string_view name) const {
  for (std::size_t i = 0; i < args_.size(); ++i) {
    if (std::string_view(args_[i].name.data, args_[i].name.size) == name) return i;
  }
  return std::nullopt;
}

double Parameters::number(std::size_t index) const {
  const kdh_value& value = args_[index].value;
  return value.type == KDH_T_INT ? static_cast<double>(value.u.i) : value.u.f;
}

void Parameters::set_number(std::size_t index, double value) {
  kdh_value& slot = args_[index].value;
  slot.type = types_[index];
  if (slot.type == KDH_T_INT) {
    slot.u.i = std::llround(value);
  } else {
    slot.u.f = value;
  }
}

}  // namespace kdhost
