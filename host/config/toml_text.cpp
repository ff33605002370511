// SPDX-License-Identifier: MIT
// Reads TOML with toml++ and turns its nodes into Values. Part of host/config.
#include "config/toml_text.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>

#include "base/atomic_file.hpp"

namespace kdhost {

// Thrown where toml++ would assert. Version 3.3.0 reaches assertions with text that is merely wrong, and in builds
// with NDEBUG it takes them as promises to the compiler, which is worse than an abort.
struct BrokenAssertion {};

[[noreturn]] inline void throw_broken_assertion() { throw BrokenAssertion{}; }

}  // namespace kdhost

#undef NDEBUG
#define TOML_ASSERT(condition) ((condition) ? static_cast<void>(0) : ::kdhost::throw_broken_assertion())
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace kdhost {
namespace {

Place place_of(const toml::source_position& at, const std::string& file) {
  return {file, static_cast<int>(at.line), static_cast<int>(at.column)};
}

// Finds what the library must not see: nesting beyond the limit, since it recurses once for each level, also for the
// parts of dotted keys; and table headers without a name, which it does not expect. Only characters outside strings
// and comments count.
class Scan {
 public:
  Scan(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  void run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '[' && brackets_ == 0 && at_line_start_) header();
      if (c == '\n') at_line_start_ = true;
      if (c != '\n' && c != ' ' && c != '\t') at_line_start_ = false;
      if (c == '"' || c == '\'') {
        skip_string(c);
      } else if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') step();
      } else {
        count(c);
        step();
      }
    }
  }

 private:
  void step() {
    if (text_[at_] == '\n') {
      ++line_;
      column_ = 0;
    }
    ++column_;
    ++at_;
  }

  void skip_string(char quote) {
    const std::string closing =
        text_.substr(at_, 3) == std::string(3, quote) ? std::string(3, quote) : std::string(1, quote);
    for (std::size_t i = 0; i < closing.size(); ++i) step();
    while (at_ < text_.size() && text_.substr(at_, closing.size()) != closing) {
      // A string of one line ends with the line; the library reports it.
      if (closing.size() == 1 && text_[at_] == '\n') return;
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) step();
      step();
    }
    for (std::size_t i = 0; i < closing.size() && at_ < text_.size(); ++i) step();
  }

  void header() {
    std::size_t at = at_ + 1;
    if (at < text_.size() && text_[at] == '[') ++at;
    while (at < text_.size() && (text_[at] == ' ' || text_[at] == '\t')) ++at;
    if (at >= text_.size()) return;
    const char c = text_[at];
    const bool name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    // The library has messages of its own for empty names, double brackets and ends of lines.
    if (name || std::strchr("_-\"'[]", c) != nullptr) return;
    throw Error(Exit::experiment, {.place = {file_, line_, column_ + static_cast<int>(at - at_)},
                                   .what = "a table header has no name.",
                                   .expected = "Expected [name] or [[name]].",
                                   .mend = "Put a name of other characters in quotes."});
  }

  void count(char c) {
    if (c == '[' || c == '{') ++brackets_;
    if ((c == ']' || c == '}') && brackets_ > 0) --brackets_;
    if (c == '.') {
      ++points_;
    } else if (std::strchr("\n=,[]{}", c) != nullptr) {
      points_ = 0;
    }
    if (brackets_ > kDeepestNesting || points_ >= kDeepestNesting) {
      throw Error(Exit::experiment, {.place = {file_, line_, column_},
                                     .what = "tables or lists are nested too deeply.",
                                     .expected = "Expected at most " + std::to_string(kDeepestNesting) + " levels."});
    }
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t at_ = 0;
  int line_ = 1;
  int column_ = 1;
  int brackets_ = 0;
  int points_ = 0;
  bool at_line_start_ = true;
};

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto rest = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name.front()) && std::all_of(name.begin(), name.end(), rest);
}

class Converter {
 public:
  Converter(const std::string& file, const EnvironmentLookup& environment, std::vector<Message>& problems)
      : file_(file), environment_(environment), problems_(problems) {}

  Value table(const toml::table& from) {
    ValueTable entries;
    for (const auto& [key, node] : from) {
      if (auto value = convert(node)) {
        entries.push_back({std::string(key.str()), std::move(*value), place_of(key.source().begin, file_)});
      }
    }
    return Value(std::move(entries), place_of(from.source().begin, file_));
  }

 private:
  std::optional<Value> convert(const toml::node& node) {
    const Place place = place_of(node.source().begin, file_);
    if (++count_ > kMostValues) {
      throw Error(Exit::experiment, {.place = place,
                                     .what = "the file has too many values.",
                                     .expected = "Expected at most " + std::to_string(kMostValues) + "."});
    }
    if (const auto* list = node.as_array()) {
      ValueList items;
      for (const toml::node& item : *list) {
        if (auto value = convert(item)) items.push_back(std::move(*value));
      }
      return Value(std::move(items), place);
    }
    if (const auto* inner = node.as_table()) return table(*inner);
    if (const auto* text = node.as_string()) return string(text->get(), place);
    if (const auto* integer = node.as_integer()) return Value(integer->get(), place);
    if (const auto* number = node.as_floating_point()) return Value(number->get(), place);
    if (const auto* boolean = node.as_boolean()) return Value(boolean->get(), place);
    problems_.push_back({.place = place,
                         .what = "a date or time is not used in experiment files.",
                         .expected = "Expected a boolean, number, string, list or table.",
                         .mend = "Put it in quotes if a text is meant."});
    return std::nullopt;
  }

  Value string(const std::string& text, const Place& place) {
    std::string out;
    std::size_t at = 0;
    for (;;) {
      const std::size_t found = text.find("${", at);
      if (found == std::string::npos) return Value(out + text.substr(at), place);
      if (found > at && text[found - 1] == '$') {
        // "$${": the first dollar sign escapes the second.
        out += text.substr(at, found - 1 - at) + "${";
        at = found + 2;
        continue;
      }
      out += text.substr(at, found - at);
      const std::size_t end = text.find('}', found);
      if (end == std::string::npos) {
        problems_.push_back({.place = place,
                             .what = "'${' has no closing '}' in " + quoted(text) + ".",
                             .expected = "Expected ${NAME} or ${NAME:-default}.",
                             .mend = "Write $${ for the two characters themselves."});
        return Value(out, place);
      }
      out += variable(text.substr(found + 2, end - found - 2), place);
      at = end + 1;
    }
  }

  std::string variable(const std::string& inside, const Place& place) {
    const std::size_t mark = inside.find(":-");
    const std::string name = inside.substr(0, mark);
    if (!is_variable_name(name)) {
      problems_.push_back({.place = place,
                           .what = quoted("${" + inside + "}") + " names no environment variable.",
                           .expected = "Expected ${NAME} or ${NAME:-default}.",
                           .mend = "Write $${ for the two characters themselves."});
      return {};
    }
    const auto value = environment_(name);
    // As in a shell, an empty variable takes the default too.
    if (mark != std::string::npos && value.value_or("").empty()) return inside.substr(mark + 2);
    if (!value) {
      problems_.push_back({.place = place,
                           .what = "environment variable " + quoted(name) + " is not set.",
                           .mend = "Set it, or give a default: ${" + printable(name) + ":-default}."});
    }
    return value.value_or("");
  }

  const std::string& file_;
  const EnvironmentLookup& environment_;
  std::vector<Message>& problems_;
  std::size_t count_ = 0;
};

void set_places(Value& value, const Place& place) {
  value.set_place(place);
  if (value.is(Value::Type::list)) {
    for (Value& item : value.list()) set_places(item, place);
  } else if (value.is(Value::Type::table)) {
    for (Entry& entry : value.table()) {
      entry.key_place = place;
      set_places(entry.value, place);
    }
  }
}

bool only_text(const toml::node& node) {
  return node.is_string() || node.is_date() || node.is_time() || node.is_date_time();
}

}  // namespace

Value parse_toml(std::string_view text, const std::string& file, const EnvironmentLookup& environment,
                 std::vector<Message>& problems) {
  Scan(text, file).run();
  try {
    return Converter(file, environment, problems).table(toml::parse(text, file));
  } catch (const toml::parse_error& error) {
    throw Error(Exit::experiment, {.place = place_of(error.source().begin, file),
                                   .what = "not valid TOML: " + printable(std::string(error.description()), 400) + ".",
                                   .expected = "Expected lines such as key = value and [table]."});
  } catch (const BrokenAssertion&) {
    throw Error(
        Exit::experiment,
        {.place = {file}, .what = "not valid TOML.", .expected = "Expected lines such as key = value and [table]."});
  }
}

std::string read_experiment_text(const std::string& path, const Place& from) {
  Message message{.place = from.known() ? from : Place{path}};
  const std::string subject = from.known() ? quoted(path) + " " : "";
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    message.what = subject + "cannot be read: " + std::generic_category().message(errno) + ".";
    message.expected = "Expected an experiment file (TOML).";
    throw Error(Exit::experiment, message);
  }
  if (S_ISDIR(status.st_mode)) {
    message.what = subject + "is a folder.";
    message.expected = "Expected an experiment file (TOML).";
    throw Error(Exit::experiment, message);
  }
  if (status.st_size > static_cast<off_t>(kLargestFile)) {
    message.what = subject + "has " + std::to_string(status.st_size) + " bytes.";
    message.expected = "Expected an experiment file of at most " + std::to_string(kLargestFile) + " bytes.";
    throw Error(Exit::experiment, message);
  }
  try {
    return read_file(path, kLargestFile);
  } catch (const Error& error) {
    throw Error(Exit::experiment, error.messages()).with_context(from);
  }
}

Value parse_override(const std::string& text, const std::string& label, const EnvironmentLookup& environment,
                     std::vector<Message>& problems) {
  const std::string line = "value = " + text;
  Scan(line, label).run();
  Value value;
  const auto as_text = [&] {
    const Value whole = Converter(label, environment, problems).table(toml::table{{"value", text}});
    value = *whole.find("value");
  };
  try {
    const toml::table parsed = toml::parse(line, label);
    const toml::node* node = parsed.get("value");
    // A line break could smuggle in a second key; then the whole is a text.
    const bool plain = parsed.size() == 1 && (!only_text(*node) || node->is_string());
    const Value whole = Converter(label, environment, problems).table(plain ? parsed : toml::table{{"value", text}});
    if (const Value* found = whole.find("value")) value = *found;
  } catch (const toml::parse_error&) {
    as_text();
  } catch (const BrokenAssertion&) {
    as_text();
  }
  set_places(value, {label});
  return value;
}

}  // namespace kdhost
