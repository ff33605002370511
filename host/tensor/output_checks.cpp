// SPDX-License-Identifier: MIT
#include "tensor/output_checks.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/text.hpp"
#include "tensor/aten.hpp"
#include "tensor/component_call.hpp"
#include "tensor/parts.hpp"

namespace kdhost {
namespace {

const at::TensorImpl& tensor_of(kdh_tensor handle) { return *reinterpret_cast<const at::TensorImpl*>(handle); }

std::uint32_t version_of(kdh_tensor handle) {
  if (handle == nullptr) return 0;
  const c10::VariableVersion& version = tensor_of(handle).version_counter();
  return version.enabled() ? version.current_version() : 0;
}

// Calls f(port, handle) for each tensor of all ports until it returns false.
template <class F>
void for_tensors(std::span<const kdh_arg> inputs, F&& f) {
  for (const kdh_arg& port : inputs) {
    if (port.value.type == KDH_T_TENSOR) {
      if (!f(port, port.value.u.tensor)) return;
    } else if (port.value.type == KDH_T_TENSOR_LIST) {
      for (std::uint64_t i = 0; i < port.value.count; ++i)
        if (!f(port, port.value.u.tensors[i])) return;
    }
  }
}

// NaN is as good as NaN.
bool same_numbers(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined()) return true;
  return a.is_floating_point() ? at::allclose(a, b.detach(), 0.0, 0.0, /*equal_nan=*/true) : at::equal(a, b);
}

// Floating-point results may come in the precision of the moment.
bool same_kind(at::ScalarType a, at::ScalarType b) {
  return a == b || (at::isFloatingType(a) && at::isFloatingType(b));
}

// "[N, 10]": how the first call had it.
std::string first_shape(std::vector<std::int64_t> sizes, bool has_rows) {
  if (!has_rows) return shape_text(sizes);
  const std::size_t digits = std::to_string(sizes.front()).size();
  return shape_text(sizes).replace(1, digits, "N");
}

}  // namespace

void InputVersions::note(std::span<const kdh_arg> inputs, bool contents) {
  versions_.clear();
  contents_.clear();
  for_tensors(inputs, [&](const kdh_arg&, kdh_tensor handle) {
    versions_.push_back(version_of(handle));
    if (contents) contents_.push_back(handle == nullptr ? at::Tensor() : tensor(handle).detach().clone());
    return true;
  });
}

std::string_view InputVersions::changed(std::span<const kdh_arg> inputs) const {
  std::string_view found;
  std::size_t at = 0;
  for_tensors(inputs, [&](const kdh_arg& port, kdh_tensor handle) {
    if (version_of(handle) != versions_[at] || (!contents_.empty() && !same_numbers(contents_[at], tensor(handle))))
      found = view(port.name);
    ++at;
    return found.empty();
  });
  return found;
}

std::string_view same_input(kdh_tensor handle, std::span<const kdh_arg> inputs) {
  std::string_view found;
  if (handle == nullptr) return found;
  for_tensors(inputs, [&](const kdh_arg& port, kdh_tensor input) {
    if (input == handle) found = view(port.name);
    return found.empty();
  });
  return found;
}

bool lacks_gradient(const Outputs& out, const Parts& parts) {
  if (!at::GradMode::is_enabled()) return false;
  bool whole = false;
  for (const auto& entry : out) {
    if (entry.value.requires_grad()) return false;
    whole = whole || entry.name == "logits";
  }
  // Of a single hidden layer all parts may be frozen.
  return whole && !parts.trainable().empty();
}

bool KnownResults::same_input_sizes(std::span<const kdh_arg> inputs) {
  bool same = false;
  for_tensors(inputs, [&](const kdh_arg&, kdh_tensor handle) {
    if (handle == nullptr) return true;
    const at::IntArrayRef sizes = tensor_of(handle).sizes();
    if (input_sizes_.empty()) input_sizes_.assign(sizes.begin(), sizes.end());
    same = sizes.size() == input_sizes_.size() && !sizes.empty() &&
           std::equal(sizes.begin() + 1, sizes.end(), input_sizes_.begin() + 1);
    return false;
  });
  return same;
}

KnownResults::Result& KnownResults::known(std::size_t position, const std::string& name, const at::Tensor& value,
                                          std::int64_t rows) {
  // A model emits in the same order again and again, unless other results are wanted.
  if (position < results_.size() && results_[position].name == name) return results_[position];
  for (Result& result : results_)
    if (result.name == name) return result;
  const bool has_rows = value.dim() > 0 && value.size(0) == rows;
  return results_.emplace_back(Result{name, value.sizes().vec(), value.scalar_type(), has_rows});
}

std::optional<KnownResults::Fault> KnownResults::fault(const Outputs& out, std::span<const kdh_arg> inputs,
                                                       at::Device device) {
  const bool comparable = same_input_sizes(inputs);
  std::int64_t rows = -1;
  for_tensors(inputs, [&](const kdh_arg&, kdh_tensor handle) {
    if (handle != nullptr && tensor_of(handle).dim() > 0) rows = tensor_of(handle).size(0);
    return false;
  });
  std::size_t position = 0;
  for (const auto& entry : out) {
    const at::Tensor& value = entry.value;
    if (value.device().type() != device.type()) [[unlikely]]
      return Fault{"emitted '" + entry.name + "' as " + tensor_text(value), "a tensor on " + device.str()};
    if (!comparable) continue;
    const Result& first = known(position++, entry.name, value, rows);
    const at::IntArrayRef sizes = value.sizes();
    const bool same = sizes.size() == first.sizes.size() && same_kind(value.scalar_type(), first.dtype) &&
                      (sizes.empty() || (std::equal(sizes.begin() + 1, sizes.end(), first.sizes.begin() + 1) &&
                                         (!first.has_rows || sizes[0] == rows || sizes[0] == first.sizes[0])));
    if (!same) [[unlikely]]
      return Fault{"emitted '" + entry.name + "' as " + tensor_text(value),
                   dtype_name(first.dtype) + " " + first_shape(first.sizes, first.has_rows) +
                       " as in its first call, with N = " + std::to_string(rows)};
  }
  return std::nullopt;
}

}  // namespace kdhost
