// SPDX-License-Identifier: MIT
// Counts by watching LibTorch's operators, so that it holds for any model, plugin or not. Of nested operators (addmm that
// calls mm) only the outermost counts.
#include "cli/operation_count.hpp"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/record_function.h>

#include <map>
#include <memory>
#include <string_view>

namespace kdhost {
namespace {

using Rule = std::int64_t (*)(const at::RecordFunction&);

at::Tensor input(const at::RecordFunction& call, std::size_t index) { return call.inputs()[index].toTensor(); }

// Each output element of a convolution takes one row of the weight [out, in / groups, kernel...]; transposed, each input
// element takes one row of [in, out / groups, kernel...].
std::int64_t convolution(const at::RecordFunction& call) {
  const at::Tensor weight = input(call, 1);
  const bool transposed = call.inputs()[6].toBool();
  const std::int64_t elements = transposed ? input(call, 0).numel() : call.outputs()[0].toTensor().numel();
  return elements * (weight.numel() / weight.size(0));
}

// [..., n, k] times [..., k, p].
std::int64_t product(const at::Tensor& left, const at::Tensor& right) {
  return left.numel() * (right.dim() > 1 ? right.size(-1) : 1);
}

template <std::size_t left>
std::int64_t matrices(const at::RecordFunction& call) {
  return product(input(call, left), input(call, left + 1));
}

// Queries times keys, then weights times values: [..., L, E] with [..., S, E] and [..., S, V].
std::int64_t attention(const at::RecordFunction& call) {
  const at::Tensor query = input(call, 0);
  const at::Tensor key = input(call, 1);
  const at::Tensor value = input(call, 2);
  const std::int64_t rows = query.numel() / query.size(-1);
  return rows * key.size(-2) * (query.size(-1) + value.size(-1));
}

const std::map<std::string_view, Rule>& rules() {
  static const std::map<std::string_view, Rule> table = {
      {"aten::convolution", convolution},
      {"aten::mm", matrices<0>},
      {"aten::mv", matrices<0>},
      {"aten::bmm", matrices<0>},
      {"aten::dot", matrices<0>},
      {"aten::addmm", matrices<1>},
      {"aten::addmv", matrices<1>},
      {"aten::baddbmm", matrices<1>},
      {"aten::addbmm", matrices<1>},
      {"aten::_scaled_dot_product_flash_attention_for_cpu", attention},
      {"aten::_scaled_dot_product_flash_attention", attention},
      {"aten::_scaled_dot_product_efficient_attention", attention},
      {"aten::_scaled_dot_product_cudnn_attention", attention},
  };
  return table;
}

// State of the count that runs on this thread; LibTorch's callbacks are plain functions.
thread_local std::int64_t total = 0;
thread_local int depth = 0;

struct Counted final : at::ObserverContext {
  explicit Counted(Rule r) : rule(r) {}
  Rule rule;
};

std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction& call) {
  const auto found = rules().find(call.name());
  if (found == rules().end()) return nullptr;
  ++depth;
  return std::make_unique<Counted>(found->second);
}

void leave(const at::RecordFunction& call, at::ObserverContext* context) {
  if (context == nullptr) return;
  if (--depth == 0) total += static_cast<Counted*>(context)->rule(call);
}

}  // namespace

std::int64_t count_operations(const std::function<void()>& work) {
  total = 0;
  depth = 0;
  // oneDNN runs a whole recurrent layer as one operator, LibTorch's own code as matrix products that can be counted.
  const bool onednn = at::globalContext().userEnabledMkldnn();
  at::globalContext().setUserEnabledMkldnn(false);
  const at::CallbackHandle handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(enter, leave).needsInputs(true).needsOutputs(true).scopes({at::RecordScope::FUNCTION}));
  const auto restore = [&] {
    at::removeCallback(handle);
    at::globalContext().setUserEnabledMkldnn(onednn);
  };
  try {
    work();
  } catch (...) {
    restore();
    throw;
  }
  restore();
  return total;
}

}  // namespace kdhost
