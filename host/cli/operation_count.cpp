// SPDX-License-Identifier: MIT
// Counts by watching LibTorch's operators, so that it holds for any model, plugin or not. Of nested operators (addmm
// that calls mm) only the outermost counts.
#include "cli/operation_count.hpp"

#include <ATen/Context.h>
#include <ATen/record_function.h>

#include <map>
#include <memory>
#include <string_view>

#include "tensor/aten.hpp"

namespace kdhost {
namespace {

/// Cost of one call, known when it begins: of the whole call, or of each element of its result.
struct Cost {
  std::int64_t operations = 0;
  bool each_output = false;
};

using Rule = Cost (*)(const at::RecordFunction&);

at::Tensor input(const at::RecordFunction& call, std::size_t index) { return call.inputs()[index].toTensor(); }

// Each output element of a convolution takes one row of the weight [out, in / groups, kernel...]; transposed, each
// input element takes one row of [in, out / groups, kernel...].
Cost convolution(const at::RecordFunction& call) {
  const at::Tensor weight = input(call, 1);
  const std::int64_t row = weight.numel() / weight.size(0);
  if (call.inputs()[6].toBool()) return {input(call, 0).numel() * row, false};
  return {row, true};
}

// [..., n, k] times [..., k, p] or [k].
template <std::size_t left>
Cost matrices(const at::RecordFunction& call) {
  const at::Tensor right = input(call, left + 1);
  return {input(call, left).numel() * (right.dim() > 1 ? right.size(-1) : 1), false};
}

// Queries times keys, then weights times values: [..., L, E] with [..., S, E] and [..., S, V].
Cost attention(const at::RecordFunction& call) {
  const at::Tensor query = input(call, 0);
  const std::int64_t rows = query.numel() / query.size(-1);
  return {rows * input(call, 1).size(-2) * (query.size(-1) + input(call, 2).size(-1)), false};
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
  Cost cost;
};

// The inputs can be looked at only here, the results only at the end.
std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction& call) {
  const auto found = rules().find(call.name());
  if (found == rules().end()) return nullptr;
  auto counted = std::make_unique<Counted>();
  if (depth++ == 0) counted->cost = found->second(call);
  return counted;
}

void leave(const at::RecordFunction& call, at::ObserverContext* context) {
  if (context == nullptr) return;
  --depth;
  const Cost& cost = static_cast<Counted*>(context)->cost;
  total += cost.each_output ? cost.operations * call.outputs()[0].toTensor().numel() : cost.operations;
}

}  // namespace

std::int64_t count_operations(const std::function<void()>& work) {
  total = 0;
  depth = 0;
  // oneDNN runs a whole recurrent layer as one operator, LibTorch's own code as matrix products that can be counted.
  const bool onednn = at::globalContext().userEnabledMkldnn();
  at::globalContext().setUserEnabledMkldnn(false);
  const at::CallbackHandle handle = at::addThreadLocalCallback(at::RecordFunctionCallback(enter, leave)
                                                                   .needsInputs(true)
                                                                   .needsOutputs(true)
                                                                   .scopes({at::RecordScope::FUNCTION}));
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
