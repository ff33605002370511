// SPDX-License-Identifier: MIT
#include "data/views.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tensor/aten.hpp"

namespace kdhost {

namespace {
constexpr std::string_view kInput = "input";

/// The batch as the model sees it: only the fields it reads, `input` replaced by the view, the others once for each of
/// its rows.
Batch batch_of_view(const Inputs& inputs, const Batch& batch, std::string_view view) {
  const at::Tensor& input = *batch.find(kInput);
  const at::Tensor& field = *batch.find(view);
  const int64_t rows = rows_of_view(input, field);
  Batch seen;
  seen.split = batch.split;
  for (std::size_t slot = 0; slot < inputs.size(); ++slot) {
    const std::string_view name = field_name(inputs.port(slot));
    if (name == kInput) {
      const at::Tensor flat = rows == 1 && field.dim() == input.dim() ? field : field.flatten(0, 1);
      seen.set(name, flat.contiguous(input.suggest_memory_format()));
    } else {
      const at::Tensor& other = *batch.find(name);
      seen.set(name, rows == 1 ? other : other.repeat_interleave(rows, 0));
    }
  }
  return seen;
}
}  // namespace

ViewedTap viewed_tap(std::string_view name) {
  const std::size_t at = name.find('@');
  if (at == std::string_view::npos) return {name, {}};
  return {name.substr(0, at), name.substr(at + 1)};
}

bool wants_views(const Wants& wants) {
  return std::any_of(wants.names().begin(), wants.names().end(),
                     [](const std::string& name) { return name.find('@') != std::string::npos; });
}

int64_t rows_of_view(const at::Tensor& input, const at::Tensor& view) {
  if (view.scalar_type() != input.scalar_type()) return 0;
  if (view.sizes() == input.sizes()) return 1;
  if (view.dim() != input.dim() + 1 || view.size(0) != input.size(0)) return 0;
  return view.sizes().slice(2) == input.sizes().slice(1) ? view.size(1) : 0;
}

void forward_views(const Inputs& inputs, const Batch& batch, const Wants& wants, Outputs& out, const Forward& forward) {
  if (!wants_views(wants)) {
    forward(batch, wants, out);
    return;
  }
  // In order of first use, so that a run draws the same random numbers each time; "" is the batch as it is.
  std::vector<std::pair<std::string_view, std::vector<std::string>>> by_view;
  for (const std::string& name : wants.names()) {
    const ViewedTap wanted = viewed_tap(name);
    auto found = std::find_if(by_view.begin(), by_view.end(), [&](const auto& v) { return v.first == wanted.view; });
    if (found == by_view.end()) found = by_view.insert(found, {wanted.view, {}});
    found->second.emplace_back(wanted.tap);
  }
  out.clear();
  for (const auto& [view, taps] : by_view) {
    Outputs found;
    forward(view.empty() ? batch : batch_of_view(inputs, batch, view), Wants(taps), found);
    const std::string suffix = view.empty() ? std::string() : "@" + std::string(view);
    for (const auto& entry : found) out.add(entry.name + suffix, entry.value);
  }
}

}  // namespace kdhost
