// SPDX-License-Identifier: MIT
// Rows of cells as aligned plain text, Markdown or CSV. Used by every command that prints a table.
#pragma once

#include <string>
#include <vector>

namespace kdhost {

/// The first row is the header. Rows may be of different length; missing cells are empty.
using Cells = std::vector<std::vector<std::string>>;

/// Columns padded to their widest cell, three spaces between them, no spaces at the ends of lines.
std::string aligned(const Cells& rows);

/// A table of GitHub's Markdown; `|` in cells is escaped.
std::string markdown(const Cells& rows);

/// Comma-separated (RFC 4180, but lines end with \n).
std::string csv(const Cells& rows);

/// Characters that UTF-8 `text` takes on a terminal, one a code point.
std::size_t width(const std::string& text);

}  // namespace kdhost
