// SPDX-License-Identifier: MIT
// The loops that gather and convert; see convert_rows.hpp.
#include "data/convert_rows.hpp"

#include <array>
#include <cstring>
#include <type_traits>

#include "base/error.hpp"
#include "data/scale_bytes.hpp"
#include "tensor/aten.hpp"
#include "tensor/handle.hpp"

namespace kdhost {
namespace {

/// How the elements of a sample lie in the output: `channels` > 1 turns C, H, W into H, W, C.
struct Layout {
  int64_t elements = 0;
  int64_t channels = 1;
};

template <class In, class Out, class Convert>
void gather(const In* all, std::span<const int64_t> rows, Layout layout, Out* out, const Convert& convert) {
  const int64_t plane = layout.elements / layout.channels;
  for (const int64_t row : rows) {
    const In* from = all + row * layout.elements;
    if (layout.channels == 1) {
      for (int64_t i = 0; i < layout.elements; ++i) out[i] = convert(from[i]);
    } else if (layout.channels == 3) {  // pictures: three streams in, one out
      for (int64_t i = 0; i < plane; ++i) {
        out[3 * i] = convert(from[i]);
        out[3 * i + 1] = convert(from[i + plane]);
        out[3 * i + 2] = convert(from[i + 2 * plane]);
      }
    } else {
      for (int64_t i = 0; i < plane; ++i)
        for (int64_t c = 0; c < layout.channels; ++c) out[i * layout.channels + c] = convert(from[c * plane + i]);
    }
    out += layout.elements;
  }
}

template <class In>
double widened(In value) {
  if constexpr (std::is_same_v<In, c10::Half> || std::is_same_v<In, c10::BFloat16>)
    return static_cast<double>(static_cast<float>(value));
  else
    return static_cast<double>(value);
}

template <class In, class Out>
void convert_from(const at::Tensor& all, std::span<const int64_t> rows, double scale, Layout layout, at::Tensor& out) {
  const In* from = all.const_data_ptr<In>();
  Out* to = out.mutable_data_ptr<Out>();
  if constexpr (std::is_integral_v<Out>) {  // labels; through float64 they would lose bits above 2^53
    gather(from, rows, layout, to, [](In value) { return static_cast<Out>(value); });
  } else if constexpr (std::is_same_v<In, uint8_t>) {
    if (layout.channels == 1) {
      for (const int64_t row : rows) {
        scale_bytes(from + row * layout.elements, static_cast<std::size_t>(layout.elements), scale, to);
        to += layout.elements;
      }
      return;
    }
    // All results there can be: one load instead of two conversions and a product.
    std::array<Out, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<Out>(static_cast<double>(i) * scale);
    gather(from, rows, layout, to, [&table](In value) { return table[value]; });
  } else if constexpr (std::is_same_v<In, Out>) {
    if (scale == 1.0)
      gather(from, rows, layout, to, [](In value) { return value; });
    else
      gather(from, rows, layout, to, [scale](In value) { return static_cast<Out>(widened(value) * scale); });
  } else {
    gather(from, rows, layout, to, [scale](In value) { return static_cast<Out>(widened(value) * scale); });
  }
}

template <class Out>
void convert_to(const at::Tensor& all, std::span<const int64_t> rows, double scale, Layout layout, at::Tensor& out) {
  switch (all.scalar_type()) {
    case at::kByte:
      return convert_from<uint8_t, Out>(all, rows, scale, layout, out);
    case at::kChar:
      return convert_from<int8_t, Out>(all, rows, scale, layout, out);
    case at::kShort:
      return convert_from<int16_t, Out>(all, rows, scale, layout, out);
    case at::kInt:
      return convert_from<int32_t, Out>(all, rows, scale, layout, out);
    case at::kLong:
      return convert_from<int64_t, Out>(all, rows, scale, layout, out);
    case at::kBool:
      return convert_from<bool, Out>(all, rows, scale, layout, out);
    case at::kHalf:
      return convert_from<c10::Half, Out>(all, rows, scale, layout, out);
    case at::kBFloat16:
      return convert_from<c10::BFloat16, Out>(all, rows, scale, layout, out);
    case at::kFloat:
      return convert_from<float, Out>(all, rows, scale, layout, out);
    case at::kDouble:
      return convert_from<double, Out>(all, rows, scale, layout, out);
    default:
      break;
  }
  throw Error(Exit::internal,
              Message{.where = "loader", .what = "cannot convert " + dtype_name(all.scalar_type()) + "."});
}

bool is_channels_last(const at::Tensor& out) {
  return out.dim() == 4 && out.size(1) > 1 && !out.is_contiguous() && out.is_contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

bool convertible(at::ScalarType stored) {
  switch (stored) {
    case at::kByte:
    case at::kChar:
    case at::kShort:
    case at::kInt:
    case at::kLong:
    case at::kBool:
    case at::kHalf:
    case at::kBFloat16:
    case at::kFloat:
    case at::kDouble:
      return true;
    default:
      return false;
  }
}

void convert_rows(const at::Tensor& all, std::span<const int64_t> rows, double scale, at::Tensor& out) {
  if (rows.empty()) return;
  const bool reorder = is_channels_last(out);
  const Layout layout{out.numel() / static_cast<int64_t>(rows.size()), reorder ? out.size(1) : 1};
  if (all.scalar_type() == out.scalar_type() && scale == 1.0 && !reorder) {
    const std::size_t bytes = static_cast<std::size_t>(layout.elements) * all.element_size();
    const auto* from = static_cast<const std::byte*>(all.const_data_ptr());
    auto* to = static_cast<std::byte*>(out.mutable_data_ptr());
    for (const int64_t row : rows) {
      std::memcpy(to, from + static_cast<std::size_t>(row) * bytes, bytes);
      to += bytes;
    }
    return;
  }
  switch (out.scalar_type()) {
    case at::kFloat:
      return convert_to<float>(all, rows, scale, layout, out);
    case at::kDouble:
      return convert_to<double>(all, rows, scale, layout, out);
    case at::kLong:
      return convert_to<int64_t>(all, rows, scale, layout, out);
    default:
      break;
  }
  throw Error(Exit::internal,
              Message{.where = "loader", .what = "cannot convert to " + dtype_name(out.scalar_type()) + "."});
}

}  // namespace kdhost
