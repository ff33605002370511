// SPDX-License-Identifier: MIT
// The three ways to write a table, see text_table.hpp.
#include "report/text_table.hpp"

#include <algorithm>

namespace kdhost {
namespace {

std::vector<std::size_t> column_widths(const Cells& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    if (row.size() > widths.size()) widths.resize(row.size(), 0);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  return widths;
}

std::string without_breaks(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string markdown_cell(const std::string& text) {
  std::string result;
  for (const char c : without_breaks(text)) {
    if (c == '|') result += '\\';
    result += c;
  }
  return result;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

}  // namespace

std::size_t width(const std::string& text) {
  // Bytes 10xxxxxx continue a code point.
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string aligned(const Cells& rows) {
  const std::vector<std::size_t> widths = column_widths(rows);
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = without_breaks(row[i]);
      line += cell + std::string(widths[i] - width(cell) + 3, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string markdown(const Cells& rows) {
  const std::size_t columns = column_widths(rows).size();
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    text += "|";
    for (std::size_t i = 0; i < columns; ++i)
      text += " " + (i < rows[r].size() ? markdown_cell(rows[r][i]) : "") + " |";
    text += "\n";
    if (r > 0) continue;
    text += "|";
    for (std::size_t i = 0; i < columns; ++i) text += "---|";
    text += "\n";
  }
  return text;
}

std::string csv(const Cells& rows) {
  const std::size_t columns = column_widths(rows).size();
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < columns; ++i) text += (i > 0 ? "," : "") + (i < row.size() ? csv_cell(row[i]) : "");
    text += "\n";
  }
  return text;
}

}  // namespace kdhost
