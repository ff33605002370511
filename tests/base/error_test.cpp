// SPDX-License-Identifier: MIT
// The text of errors: the four parts, places, and hostile characters.
#include "base/error.hpp"

#include <catch2/catch.hpp>

using namespace kdhost;

TEST_CASE("a message says where, what, what was expected and how to mend it", "[base]") {
  const Message message{.place = {"a.toml", 14, 3},
                        .what = "unknown key 'temprature' in [[loss]] 'kdhost.kd'.",
                        .expected = "Known keys: form, temperature.",
                        .mend = "Did you mean 'temperature'?"};
  CHECK(message.text() ==
        "a.toml:14:3: unknown key 'temprature' in [[loss]] 'kdhost.kd'.\n"
        "  Known keys: form, temperature. Did you mean 'temperature'?");
}

TEST_CASE("parts of a message that are empty leave no trace", "[base]") {
  CHECK(Message{.where = "step 3", .what = "stopped."}.text() == "step 3: stopped.");
  CHECK(Message{.what = "stopped.", .mend = "Go on."}.text() == "stopped.\n  Go on.");
  CHECK(Message{.place = {"a", 1, 0}, .where = "loss 'kd'", .what = "bad."}.text() == "a:1: loss 'kd': bad.");
}

TEST_CASE("a message of several lines is indented after its first", "[base]") {
  CHECK(Message{.where = "x", .what = "one\ntwo", .mend = "three\nfour"}.text() == "x: one\n  two\n  three\n  four");
}

TEST_CASE("errors of one file are one error with all messages", "[base]") {
  const Error error(Exit::experiment, std::vector<Message>{{.place = {"a.toml", 1, 2}, .what = "first."},
                                                           {.where = "b", .what = "second."}});
  CHECK(std::string(error.what()) == "a.toml:1:2: first.\nb: second.");
  CHECK(error.exit() == Exit::experiment);
  CHECK(error.place() == Place{"a.toml", 1, 2});
  CHECK(error.messages().size() == 2);
}

TEST_CASE("context is added in front and a place only where there is none", "[base]") {
  const Error error(Exit::plugin, {.where = "loss 'kd'", .what = "threw."});
  const Error located = error.with_context({"a.toml", 3, 1}, "step 12");
  CHECK(std::string(located.what()) == "a.toml:3:1: step 12: loss 'kd': threw.");
  CHECK(std::string(located.with_context({"b.toml", 9, 9}).what()) == "a.toml:3:1: step 12: loss 'kd': threw.");
  CHECK(located.exit() == Exit::plugin);
}

TEST_CASE("a place prints as much as is known", "[base]") {
  CHECK(Place{"f", 2, 5}.text() == "f:2:5");
  CHECK(Place{"f", 2, 0}.text() == "f:2");
  CHECK(Place{"f", 0, 5}.text() == "f");
  CHECK_FALSE(Place{}.known());
}

TEST_CASE("text from files cannot steer a terminal or flood it", "[base]") {
  CHECK(printable("a\033[31mb\nc\x7F") == "a?[31mb?c?");
  CHECK(printable("gr\xC3\xBC\xC3\x9F dich") == "gr\xC3\xBC\xC3\x9F dich");
  // Control characters of 8 bits, cut sequences, overlong forms and surrogates.
  CHECK(printable("\xC2\x9B"
                  "31m") == "??31m");
  CHECK(printable("\xE2\x82") == "??");
  CHECK(printable("\xC0\xAF\xED\xA0\x80") == "?????");
  CHECK(printable("\xF0\x9F\x99\x82") == "\xF0\x9F\x99\x82");
  CHECK(printable(std::string(500, 'x')) == std::string(120, 'x') + "...");
  CHECK(quoted("kd") == "'kd'");
}
