// SPDX-License-Identifier: MIT
// Joins the parts of error messages into the text a user reads. Part of the lowest layer, used by all others.
#include "base/error.hpp"

#include <utility>

namespace kdhost {
namespace {

// Length of the well-formed UTF-8 sequence that starts at `at`, or 0 where there is none.
std::size_t utf8_length(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(at);
  std::size_t length = 0;
  if (first >= 0xC2 && first <= 0xDF) length = 2;
  if (first >= 0xE0 && first <= 0xEF) length = 3;
  if (first >= 0xF0 && first <= 0xF4) length = 4;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0U) != 0x80U) return 0;
  }
  // U+0080 .. U+009F are control characters too: some terminals obey them.
  if (first == 0xC2 && byte(at + 1) < 0xA0) return 0;
  // Overlong forms, surrogates and values above U+10FFFF are not UTF-8.
  const unsigned second = byte(at + 1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
  return length;
}

}  // namespace

std::string printable(const std::string& text, std::size_t limit) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (out.size() >= limit) return out + "...";
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte < 0x7F) {
      out += text[i++];
    } else if (const std::size_t length = utf8_length(text, i); length > 0) {
      out.append(text, i, length);
      i += length;
    } else {
      out += '?';
      ++i;
    }
  }
  return out;
}

std::string quoted(const std::string& text) { return "'" + printable(text) + "'"; }

std::string Place::text() const {
  std::string out = printable(file, 4096);
  if (line > 0) out += ":" + std::to_string(line);
  if (line > 0 && column > 0) out += ":" + std::to_string(column);
  return out;
}

std::string Message::text() const {
  std::string out = place.known() ? place.text() : where;
  if (place.known() && !where.empty()) out += ": " + where;
  if (!out.empty() && !what.empty()) out += ": ";
  out += what;
  std::string advice = expected;
  if (!expected.empty() && !mend.empty()) advice += ' ';
  advice += mend;
  if (!advice.empty()) out += "\n" + advice;
  // Every line after the first is indented, so that several messages in a row stay apart.
  std::string indented;
  for (const char c : out) {
    indented += c;
    if (c == '\n') indented += "  ";
  }
  return indented;
}

Error::Error(Exit exit, Message message) : Error(exit, std::vector<Message>{std::move(message)}) {}

Error::Error(Exit exit, const std::string& text, std::vector<Message>&& messages)
    : std::runtime_error(text), exit_(exit), messages_(std::move(messages)) {
  if (messages_.empty()) messages_.emplace_back();
}

std::string Error::joined(const std::vector<Message>& messages) {
  std::string text;
  for (const Message& message : messages) {
    if (!text.empty()) text += '\n';
    text += message.text();
  }
  return text;
}

Error Error::with_context(const Place& place, const std::string& context) const {
  std::vector<Message> messages = messages_;
  for (Message& message : messages) {
    if (!message.place.known()) message.place = place;
    if (!context.empty()) message.where = message.where.empty() ? context : context + ": " + message.where;
  }
  return Error(exit_, std::move(messages));
}

}  // namespace kdhost
