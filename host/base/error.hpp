// SPDX-License-Identifier: MIT
// The one error type of kdhost. It stands below everything else: any layer throws it, and only main() and the
// plugin boundary catch it. A message answers four questions in this order: where is it, what is wrong (with the
// value found), what was expected, and how to mend it.
#pragma once

#include <concepts>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace kdhost {

/// The exit code of the program, one per kind of cause, so that a script can decide what to do next.
enum class Exit {
  ok = 0,           ///< done, everything promised was written
  internal = 1,     ///< a defect of kdhost
  usage = 2,        ///< command line
  experiment = 3,   ///< experiment file: syntax, keys, values, references
  data = 4,         ///< data, weights, checkpoint or disk
  plugin = 5,       ///< a plugin that does not load or broke its contract
  diverged = 6,     ///< non-finite numbers stopped the training
  interrupted = 7,  ///< stopped by a signal, can be resumed
};

/// A position in a text the user wrote: a file, or an override such as "--set train.epochs=3".
/// Lines and columns count from 1; 0 means the whole file or override is meant.
struct Place {
  std::string file{};
  int line = 0;
  int column = 0;

  /// True where the user wrote the value; false for a default.
  bool known() const { return !file.empty(); }
  /// "file:line:column", shortened where column or line is 0. Control characters are shown as "?".
  std::string text() const;

  friend bool operator==(const Place&, const Place&) = default;
};

/// One problem in the four parts every user-facing message has. `where` is used when `place` is not known.
/// Each part is a whole sentence or phrase without a newline at its end; empty parts are left out.
struct Message {
  Place place{};
  std::string where{};
  std::string what{};
  std::string expected{};
  std::string mend{};

  /// "where: what", then one line indented by two spaces with what was expected and how to mend it.
  std::string text() const;

  friend bool operator==(const Message&, const Message&) = default;
};

/// Everything that a user can put right. Errors of one file are thrown together as one Error.
class Error : public std::runtime_error {
 public:
  Error(Exit exit, Message message);
  /// Needs at least one message; what() joins them by newlines. A template, so that a message in braces is never
  /// taken for a vector.
  template <class Messages>
  requires std::same_as<Messages, std::vector<Message>> Error(Exit exit, Messages messages)
      : Error(exit, joined(messages), std::move(messages)) {}

  Exit exit() const { return exit_; }
  /// The place of the first message; not known() where the message names its place in words.
  const Place& place() const { return messages_.front().place; }
  const std::vector<Message>& messages() const { return messages_; }

  /// The same error with `place` and `context` ("step 12, loss 'kd' (libkd.so)") put before messages. A place is
  /// added only to messages that have none; the context always stands in front of the old place in words.
  Error with_context(const Place& place, const std::string& context = {}) const;

 private:
  Error(Exit exit, const std::string& text, std::vector<Message>&& messages);
  static std::string joined(const std::vector<Message>& messages);

  Exit exit_;
  std::vector<Message> messages_;
};

/// `text` with control characters and bytes above 126 that do not form printable UTF-8 replaced by "?", and cut to
/// `limit` bytes with "..." so that hostile input cannot flood or steer a terminal.
std::string printable(const std::string& text, std::size_t limit = 120);

/// "'text'", made printable: how values found in files are quoted in messages.
std::string quoted(const std::string& text);

}  // namespace kdhost
