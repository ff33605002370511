// SPDX-License-Identifier: MIT
// For helpers that compare many things at once: they return what differs, and the test itself says CHECK.
#pragma once

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace kdhost::test {

/// A sentence for each thing that differs.
using Differences = std::vector<std::string>;
inline const Differences kNoDifferences;

inline void append(Differences& to, Differences more) { std::move(more.begin(), more.end(), std::back_inserter(to)); }

/// |found - expected| <= relative * |expected|; never true of a NaN.
inline bool agrees(double found, double expected, double relative) {
  return std::abs(found - expected) <= relative * std::abs(expected);
}

/// "WHAT: found 1.5, expected 2"
inline std::string difference(const std::string& what, double found, double expected) {
  std::ostringstream text;
  text << std::setprecision(17) << what << ": found " << found << ", expected " << expected;
  return text.str();
}

}  // namespace kdhost::test
