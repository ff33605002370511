// SPDX-License-Identifier: MIT
// The child process of the validator: it answers, dies, hangs and floods, and nothing of it stays.
#include "check/child.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>

#include "check/zoo_check.hpp"

using namespace kdhost;
using check::Answer;
using check::Child;

namespace {

std::string serve(const std::string& request) {
  static int answered = 0;
  check::note_activity("the request " + request);
  if (request == "pid") return std::to_string(::getpid());
  if (request == "group") return ::getpgrp() == ::getpid() ? "its own" : "another";
  if (request == "count") return std::to_string(++answered);
  if (request == "crash") ::raise(SIGSEGV);
  if (request == "exit") std::_Exit(3);
  if (request == "hang" || request == "hang with children") {
    if (request != "hang") (void)!::fork();
    for (;;) ::sleep(1000);
  }
  if (request == "print") {
    const std::string text(100000, 'y');
    (void)!::write(STDOUT_FILENO, text.data(), text.size());
  }
  if (request == "input") {
    char c = 0;
    return std::to_string(::read(STDIN_FILENO, &c, 1));
  }
  if (request == "close all") {
    for (int i = 0; i < 1024; ++i) ::close(i);
    ::sleep(1000);
  }
  return "done";
}

}  // namespace

TEST_CASE("a child answers one request after the other, in a process and group of its own") {
  {
    Child child(serve);
    const std::string pid = child.ask("pid", 10.0).text;
    CHECK(pid != std::to_string(::getpid()));
    CHECK(child.ask("pid", 10.0).text == pid);
    CHECK(child.ask("group", 10.0).text == "its own");
    CHECK(child.ask("count", 10.0).text == "1");
    CHECK(child.ask("count", 10.0).text == "2");
    CHECK(child.ask("input", 10.0).text == "0");  // nothing to read
    child.stop();
    CHECK(child.ask("count", 10.0).text == "1");  // another process
    CHECK(child.ask("pid", 10.0).text != pid);
  }
  CHECK(test::no_process_left());
}

TEST_CASE("a child that dies is told with its signal or code and what it was doing") {
  Child child(serve);
  const Answer crash = child.ask("crash", 10.0);
  CHECK(crash.end == Answer::End::died);
  CHECK(WIFSIGNALED(crash.status));
  CHECK(WTERMSIG(crash.status) == SIGSEGV);
  CHECK(crash.activity == "the request crash");
  CHECK(!child.running());
  const Answer exit = child.ask("exit", 10.0);
  CHECK(exit.end == Answer::End::died);
  CHECK(WIFEXITED(exit.status));
  CHECK(WEXITSTATUS(exit.status) == 3);
  const Answer closed = child.ask("close all", 10.0);
  CHECK(closed.end == Answer::End::died);
  CHECK(closed.seconds < 5.0);
  CHECK(test::no_process_left());
}

TEST_CASE("a child that hangs is killed at its limit with everything it started") {
  Child child(serve);
  for (const std::string request : {"hang", "hang with children"}) {
    const Answer answer = child.ask(request, 0.3);
    CHECK(answer.end == Answer::End::timed_out);
    CHECK(answer.seconds >= 0.3);
    CHECK(answer.seconds < 3.0);
    CHECK(answer.activity == "the request " + request);
    CHECK(test::no_process_left());
  }
  CHECK(child.ask("pid", 10.0).end == Answer::End::answered);
}

TEST_CASE("what a child writes is counted, and its beginning kept") {
  Child child(serve);
  const Answer answer = child.ask("print", 10.0);
  CHECK(answer.text == "done");
  CHECK(answer.output_bytes == 100000);
  CHECK(answer.output == std::string(16384, 'y'));
  CHECK(child.ask("pid", 10.0).output.empty());
}
