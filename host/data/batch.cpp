// SPDX-License-Identifier: MIT
// Fields of a batch by name, and its labelled rows; see batch.hpp.
#include "data/batch.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "tensor/aten.hpp"

namespace kdhost {

std::string_view field_name(std::string_view port) {
  constexpr std::string_view kPrefix = "batch.";
  return port.starts_with(kPrefix) ? port.substr(kPrefix.size()) : port;
}

const at::Tensor* Batch::find(std::string_view name) const {
  const std::string_view plain = field_name(name);
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.name == plain; });
  return found != fields.end() ? &found->value : nullptr;
}

at::Tensor* Batch::find(std::string_view name) {
  return const_cast<at::Tensor*>(static_cast<const Batch&>(*this).find(name));
}

void Batch::set(std::string_view name, at::Tensor value) {
  if (at::Tensor* field = find(name); field != nullptr)
    *field = std::move(value);
  else
    fields.push_back({std::string(field_name(name)), std::move(value)});
}

at::Device Batch::device() const { return fields.empty() ? at::Device(at::kCPU) : fields.front().value.device(); }

Batch first_rows(const Batch& batch, int64_t count) {
  count = std::min(count, batch.size());
  Batch few;
  few.split = batch.split;
  few.samples.assign(batch.samples.begin(), batch.samples.begin() + count);
  if (!batch.keys.empty()) few.keys.assign(batch.keys.begin(), batch.keys.begin() + count);
  for (const Batch::Field& field : batch.fields) few.fields.push_back({field.name, field.value.narrow(0, 0, count)});
  if (batch.labelled_rows.defined())
    few.labelled_rows = batch.labelled_rows.masked_select(batch.labelled_rows.lt(count));
  return few;
}

void mark_labelled(Batch& batch, const std::vector<uint8_t>& has_label) {
  std::vector<int64_t> rows;
  for (std::size_t i = 0; i < batch.samples.size(); ++i) {
    const int64_t sample = batch.samples[i];
    if (sample < 0 || static_cast<std::size_t>(sample) >= has_label.size())
      throw Error(Exit::internal,
                  Message{.where = "batch",
                          .what = "sample " + std::to_string(sample) + " is outside the training split.",
                          .expected = "Expected less than " + std::to_string(has_label.size()) + "."});
    if (has_label[static_cast<std::size_t>(sample)] != 0) rows.push_back(static_cast<int64_t>(i));
  }
  if (rows.size() == batch.samples.size()) {
    batch.labelled_rows = at::Tensor();
    return;
  }
  at::Tensor host = at::empty({static_cast<int64_t>(rows.size())}, at::kLong);
  if (!rows.empty()) std::memcpy(host.mutable_data_ptr(), rows.data(), rows.size() * sizeof(int64_t));
  batch.labelled_rows = host.to(batch.device());
}

}  // namespace kdhost
