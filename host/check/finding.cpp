// SPDX-License-Identifier: MIT
// Words of verdicts, and errors of the host as findings; see finding.hpp.
#include "check/finding.hpp"

#include <c10/util/Exception.h>

#include <array>
#include <utility>

namespace kdhost::check {
namespace {

constexpr std::array<std::pair<Verdict, std::string_view>, 6> kWords{{{Verdict::pass, "pass"},
                                                                      {Verdict::skip, "skip"},
                                                                      {Verdict::warn, "warn"},
                                                                      {Verdict::fail, "fail"},
                                                                      {Verdict::crash, "crash"},
                                                                      {Verdict::timeout, "timeout"}}};

// Texts of plugins often have no full stop.
std::string with_stop(std::string text) {
  if (!text.empty() && text.back() != '.') text += '.';
  return text;
}

// Line breaks, with the indentation behind them, become one space.
std::string on_one_line(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool gap = c == '\n' || c == ' ';
    if (!gap || out.empty() || out.back() != ' ') out += gap ? ' ' : c;
  }
  return out;
}

}  // namespace

std::string verdict_word(Verdict verdict) {
  for (const auto& [v, word] : kWords) {
    if (v == verdict) return std::string(word);
  }
  return "unknown";
}

std::optional<Verdict> verdict_of(std::string_view word) {
  for (const auto& [v, w] : kWords) {
    if (w == word) return v;
  }
  return std::nullopt;
}

Finding failed(const Error& error, const std::string& file) {
  const Message& message = error.messages().front();
  std::string where = message.place.known() ? message.place.text() : message.where;
  if (where == printable(file, 4096)) where.clear();
  Finding finding{Verdict::fail, where.empty() ? message.what : where + ": " + message.what, message.expected};
  if (!finding.mend.empty() && !message.mend.empty()) finding.mend += ' ';
  finding.mend += message.mend;
  finding.what = with_stop(on_one_line(finding.what));
  return finding;
}

std::string said(const Error& error) {
  const Message& message = error.messages().front();
  const std::string text = message.where.empty() ? message.what : message.where + ": " + message.what;
  return with_stop(printable(on_one_line(text), 600));
}

std::string said(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  const std::string text = torch != nullptr ? torch->what_without_backtrace() : error.what();
  // A LibTorch error that was thrown inside another keeps the inner list in its own text.
  return with_stop(printable(on_one_line(text.substr(0, text.find("\nException raised from"))), 600));
}

}  // namespace kdhost::check
