// SPDX-License-Identifier: MIT
// Finding and running LibTorch operators for plugins; see operators.hpp.
#include "tensor/operators.hpp"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/enum_tag.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <sstream>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/nearest.hpp"
#include "tensor/argument_conversion.hpp"
#include "tensor/compat.hpp"
#include "tensor/component_call.hpp"
#include "tensor/handle.hpp"

namespace kdhost {

class Operator {
 public:
  explicit Operator(const c10::OperatorHandle& handle) : handle_(handle) {
    const c10::FunctionSchema& schema = handle.schema();
    for (const c10::Argument& argument : schema.arguments()) {
      arguments_.push_back(read_argument(argument));
      if (arguments_.back().conversion == Conversion::generator) draws_ = true;
    }
    draws_ = draws_ || handle.hasTag(at::Tag::nondeterministic_seeded);
    returns_ = schema.returns().size();
    for (const c10::Argument& result : schema.returns())
      if (result.type()->kind() == c10::TypeKind::ListType)
        returns_ = 1;  // as many as the list has: counted afterwards
  }

  const c10::OperatorHandle& handle() const { return handle_; }
  const std::vector<OperatorArgument>& arguments() const { return arguments_; }
  /// Fewest results it can have.
  std::size_t returns() const { return returns_; }
  /// It draws random numbers, perhaps.
  bool draws() const { return draws_; }

  std::string name() const {
    const c10::OperatorName& name = handle_.operator_name();
    return name.overload_name.empty() ? name.name : name.name + "." + name.overload_name;
  }
  std::string schema() const {
    std::ostringstream text;
    text << handle_.schema();
    return text.str();
  }

 private:
  c10::OperatorHandle handle_;
  std::vector<OperatorArgument> arguments_;
  std::size_t returns_ = 0;
  bool draws_ = false;
};

namespace {

// The boxed arguments of one call. The memory is kept per thread; a call inside a call takes fresh memory.
class StackLease {
 public:
  StackLease() : stack_(std::move(spare())) {}
  ~StackLease() {
    stack_.clear();
    spare() = std::move(stack_);
  }
  StackLease(const StackLease&) = delete;
  StackLease& operator=(const StackLease&) = delete;

  torch::jit::Stack& operator*() { return stack_; }

 private:
  static torch::jit::Stack& spare() {
    thread_local torch::jit::Stack stack;
    return stack;
  }

  torch::jit::Stack stack_;
};

[[noreturn]] void refuse(const Operator& op, const std::string& text) {
  throw HostRefusal{KDH_E_INVALID_ARGUMENT, op.name() + ": " + text + "; schema: " + op.schema()};
}

[[noreturn]] void refuse_unknown_operator(const std::string& name, const std::string& overload) {
  std::vector<std::string> overloads;
  std::vector<std::string> names;
  for (const c10::OperatorName& known : c10::Dispatcher::singleton().getAllOpNames()) {
    if (known.name == name)
      overloads.push_back(known.overload_name.empty() ? "''" : "'" + known.overload_name + "'");
    else
      names.push_back(known.name);
  }
  std::string text = "LibTorch " TORCH_VERSION " has no operator '" + name + "'";
  if (!overloads.empty()) {
    std::sort(overloads.begin(), overloads.end());
    text += " with overload '" + overload + "'; it has";
    for (std::size_t i = 0; i < overloads.size(); ++i) text += (i > 0 ? ", " : " ") + overloads[i];
  } else {
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    if (const std::string near = did_you_mean(name, names); !near.empty()) text += "; " + near;
  }
  throw HostRefusal{KDH_E_NOT_FOUND, text};
}

// The caller's names that are not the schema's, or come twice.
[[noreturn]] void refuse_names(const Operator& op, const kdh_arg* args, uint64_t n_args) {
  std::vector<std::string> known;
  for (const OperatorArgument& argument : op.arguments()) known.push_back(argument.name);
  for (uint64_t i = 0; i < n_args; ++i) {
    const std::string name(view(args[i].name));
    if (std::find(known.begin(), known.end(), name) == known.end()) refuse(op, "unknown argument '" + name + "'");
    for (uint64_t j = 0; j < i; ++j)
      if (view(args[j].name) == name) refuse(op, "argument '" + name + "' is given twice");
  }
  refuse(op, "arguments do not fit");
}

void push_arguments(const Operator& op, const kdh_arg* args, uint64_t n_args, torch::jit::Stack& stack) {
  uint64_t used = 0;
  for (const OperatorArgument& formal : op.arguments()) {
    const kdh_arg* found = nullptr;
    // Callers mostly keep the schema's order: the next one is tried first.
    if (used < n_args && view(args[used].name) == formal.name) {
      found = args + used;
    } else {
      for (uint64_t i = 0; i < n_args && found == nullptr; ++i)
        if (view(args[i].name) == formal.name) found = args + i;
    }
    if (found == nullptr) {
      if (!formal.has_default) {
        if (used == n_args) refuse(op, "argument '" + formal.name + "' is missing");
        refuse(op, "argument '" + formal.name + "' is missing or misspelt");
      }
      stack.push_back(formal.fallback);
      continue;
    }
    ++used;
    if (!convert(formal, found->value, stack.emplace_back())) {
      if (formal.conversion == Conversion::unsupported)
        refuse(op, "argument '" + formal.name + "' of type " + formal.type + " cannot be given by a plugin");
      refuse(op, "argument '" + formal.name + "' must be " + formal.type + ", found " + value_text(found->value));
    }
  }
  if (used != n_args) refuse_names(op, args, n_args);
}

kdh_value result_value(const Operator& op, c10::IValue& value) {
  kdh_value made{};
  if (value.isTensor()) {
    made.type = KDH_T_TENSOR;
    made.u.tensor = give(std::move(value).toTensor());
  } else if (value.isInt()) {
    made.type = KDH_T_INT;
    made.u.i = value.toInt();
  } else if (value.isDouble()) {
    made.type = KDH_T_FLOAT;
    made.u.f = value.toDouble();
  } else if (value.isBool()) {
    made.type = KDH_T_BOOL;
    made.u.i = value.toBool() ? 1 : 0;
  } else if (!value.isNone()) {
    throw HostRefusal{KDH_E_UNSUPPORTED,
                      op.name() + ": a result of type " + value.tagKind() + " cannot be given to a plugin"};
  }
  return made;
}

[[noreturn]] void refuse_room(const Operator& op, std::size_t count, uint64_t capacity) {
  throw HostRefusal{KDH_E_INVALID_ARGUMENT,
                    op.name() + ": " + std::to_string(count) + " results, room for " + std::to_string(capacity)};
}

// Puts everything into `results`, or nothing: what was given before a refusal is taken back.
uint64_t spread_results(const Operator& op, torch::jit::Stack& stack, kdh_value* results, uint64_t capacity) {
  std::size_t count = 0;
  for (const c10::IValue& value : stack) count += value.isTensorList() ? value.toTensorList().size() : 1;
  if (count > capacity) refuse_room(op, count, capacity);
  uint64_t filled = 0;
  try {
    for (c10::IValue& value : stack) {
      if (!value.isTensorList()) {
        results[filled] = result_value(op, value);
        ++filled;
        continue;
      }
      for (at::Tensor& element : std::move(value).toTensorVector()) {
        kdh_value made{};
        made.type = KDH_T_TENSOR;
        made.u.tensor = give(std::move(element));
        results[filled++] = made;
      }
    }
  } catch (...) {
    for (uint64_t i = 0; i < filled; ++i)
      if (results[i].type == KDH_T_TENSOR) take(results[i].u.tensor);
    throw;
  }
  return filled;
}

}  // namespace

const Operator& find_operator(const char* name, const char* overload) {
  // Never destroyed: plugins hold the addresses, also while the process ends.
  static auto& mutex = *new std::mutex;
  static auto& known = *new std::unordered_map<std::string, std::unique_ptr<const Operator>>;
  if (name == nullptr) throw HostRefusal{KDH_E_INVALID_ARGUMENT, "an operator was asked for without a name"};
  thread_local std::string key;
  key.assign(name).append(1, '.').append(overload != nullptr ? overload : "");
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(key); found != known.end()) return *found->second;
  const std::string overload_name = overload != nullptr ? overload : "";
  const auto handle = c10::Dispatcher::singleton().findSchema({name, overload_name});
  if (!handle) refuse_unknown_operator(name, overload_name);
  return *known.emplace(key, std::make_unique<const Operator>(*handle)).first->second;
}

void run_operator(const Operator& op, const kdh_arg* args, uint64_t n_args, kdh_value* results, uint64_t capacity,
                  uint64_t* n_results) {
  if (op.returns() > capacity) refuse_room(op, op.returns(), capacity);
  StackLease lease;
  torch::jit::Stack& stack = *lease;
  stack.reserve(op.arguments().size() + 1);
  push_arguments(op, args, n_args, stack);
  if (op.draws()) seed_if_armed();
  op.handle().callBoxed(&stack);
  const uint64_t count = spread_results(op, stack, results, capacity);
  if (n_results != nullptr) *n_results = count;
}

}  // namespace kdhost
