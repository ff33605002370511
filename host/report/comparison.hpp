// SPDX-License-Identifier: MIT
// Several runs in one table: a row a run, with what its student reached alone and distilled, and the gain. `kdhost
// compare` prints it as text, Markdown, CSV or JSON.
#pragma once

#include <string>
#include <vector>

#include "train/results.hpp"

namespace kdhost {

/// Aligned plain text.
std::string comparison_text(const std::vector<RunResult>& runs);
/// The same cells as a Markdown table.
std::string comparison_markdown(const std::vector<RunResult>& runs);
/// Numbers as they are (fractions, seconds), one column each, for spreadsheets; empty where there is none.
std::string comparison_csv(const std::vector<RunResult>& runs);
/// The same numbers as an array of objects; null where there is none.
std::string comparison_json(const std::vector<RunResult>& runs);

}  // namespace kdhost
