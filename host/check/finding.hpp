// SPDX-License-Identifier: MIT
// What a test of the validator found: a verdict, one sentence that says what is wrong, one that says how to mend it.
// Lowest part of host/check.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace kdhost::check {

/// In rising order of badness. fail, crash and timeout make the whole check fail.
enum class Verdict { pass, skip, warn, fail, crash, timeout };

std::string verdict_word(Verdict verdict);
std::optional<Verdict> verdict_of(std::string_view word);
inline bool is_bad(Verdict verdict) { return verdict >= Verdict::fail; }

struct Finding {
  Verdict verdict = Verdict::pass;
  /// pass: empty or a note. Otherwise what is wrong; skip: why.
  std::string what{};
  /// How to mend it; empty for pass and skip.
  std::string mend{};
};

inline Finding passed(std::string note = {}) { return {Verdict::pass, std::move(note), {}}; }
inline Finding skipped(std::string why) { return {Verdict::skip, std::move(why), {}}; }
inline Finding warned(std::string what, std::string mend) { return {Verdict::warn, std::move(what), std::move(mend)}; }
inline Finding failed(std::string what, std::string mend) { return {Verdict::fail, std::move(what), std::move(mend)}; }

/// The finding that an error of the host stands for; `file` is left out of its text, which stands above the list.
Finding failed(const Error& error, const std::string& file);

/// What an error says, on one line and of bearable length: for a sentence of a test around it.
std::string said(const Error& error);
/// The same of any exception; of LibTorch's without the list of functions it came through.
std::string said(const std::exception& error);

}  // namespace kdhost::check
