// SPDX-License-Identifier: MIT
// Numbers and shapes as text, the same everywhere: messages, tables, metrics.jsonl, resolved.toml. Independent of
// the locale. Lowest layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kdhost {

/// The shortest text that reads back to the same bits: "0.1", "5", "1e-08", "nan", "inf", "-inf".
std::string shortest(double value);

/// 17 significant digits, enough to tell any two doubles apart: "0.10000000000000001".
std::string digits17(double value);

/// Fixed point with `decimals` digits after the point: "88.13".
std::string fixed(double value, int decimals);

/// A shape as messages print it: "[64, 10]"; "[]" for a scalar.
std::string shape_text(std::span<const std::int64_t> shape);

/// "1,234,567": counts in prose.
std::string with_commas(std::int64_t value);

/// Filled up with spaces to at least `width` bytes: columns of a listing.
std::string padded(std::string text, std::size_t width);

/// "a, b, c".
std::string join(const std::vector<std::string>& parts, std::string_view separator = ", ");

}  // namespace kdhost
