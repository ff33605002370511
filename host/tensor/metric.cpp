// SPDX-License-Identifier: MIT
// Summing a metric over batches; see metric.hpp.
#include "tensor/metric.hpp"

#include <ATen/core/grad_mode.h>

#include "base/text.hpp"
#include "tensor/aten.hpp"

namespace kdhost {

MetricInstance::MetricInstance(Origin origin, Creation creation)
    : Instance(KDH_KIND_METRIC, std::move(origin), std::move(creation)),
      table_(static_cast<const kdh_metric*>(vtable())) {
  if (!KDHOST_OFFERS(table_, sums) || !KDHOST_OFFERS(table_, result))
    throw broken("create", "the table of functions has no 'sums' or no 'result'", "a complete table");
}

void MetricInstance::reset() {
  sums_.reset();
  numbers_.clear();
}

void MetricInstance::add(const CallSettings& settings) {
  const at::NoGradGuard no_grad;
  call_.collect(nullptr, nullptr, nullptr);
  call_.begin(params(), inputs_.values(), nullptr, settings, key(), seeds_at_once());
  kdh_tensor handle = nullptr;
  invoke("sums", [&] { return table_->sums(self(), call_.get(), &handle); });
  const at::Tensor sums = take(handle);
  check_inputs("sums", call_);
  if (!sums.defined() || sums.device().type() != settings.device.type() || sums.dim() != 1 ||
      sums.scalar_type() != at::kDouble || (sums_.defined() && sums.sizes() != sums_.sizes()))
    throw broken("sums", "returned " + tensor_text(sums),
                 sums_.defined() ? "float64 " + shape_text(sums_.sizes()) + " as for the batch before" : "float64 [S]");
  if (sums_.defined())
    sums_.add_(sums);
  else
    sums_ = sums.clone();
}

const Numbers& MetricInstance::result(const CallSettings& settings) {
  if (!sums_.defined())
    throw Error(Exit::internal, Message{.where = origin().name, .what = "the metric was asked for before any batch."});
  const at::Tensor sums = sums_.to(at::kCPU).contiguous();
  numbers_.clear();
  call_.collect(nullptr, nullptr, &numbers_);
  call_.begin(params(), {}, nullptr, settings, key(), false);
  invoke("result", [&] {
    return table_->result(self(), call_.get(), sums.const_data_ptr<double>(), static_cast<uint64_t>(sums.numel()));
  });
  if (numbers_.empty()) throw broken("result", "emitted no number", "at least one number");
  return numbers_;
}

}  // namespace kdhost
