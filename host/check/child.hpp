// SPDX-License-Identifier: MIT
// A child process that answers requests one after the other, so that whatever a plugin does to its process happens to
// a process that may be thrown away. The child is the leader of a process group of its own; when it does not answer
// in time, the whole group is killed and reaped. It is forked from this process, so LibTorch need not start again.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kdhost::check {

/// How a request ended.
struct Answer {
  enum class End { answered, died, timed_out };
  End end = End::answered;
  /// What the child answered.
  std::string text{};
  /// As waitpid gives it, when it died.
  int status = 0;
  /// What the child was doing when it died or hung: the last note_activity().
  std::string activity{};
  /// The beginning of what was written to standard output and standard error meanwhile, and how much it was.
  std::string output{};
  std::uint64_t output_bytes = 0;
  double seconds = 0.0;
};

class Child {
 public:
  /// Answers a request; runs in the child.
  using Serve = std::function<std::string(const std::string&)>;

  explicit Child(Serve serve);
  /// Ends the child and everything it started.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Starts a child when none runs, and waits at most `limit` seconds for its answer. After any end but `answered`, no
  /// process of the group is left.
  Answer ask(const std::string& request, double limit);
  /// Ends the child and its group, if one runs; the next ask() starts another.
  void stop();
  bool running() const { return pid_ > 0; }

 private:
  void start();
  [[noreturn]] void serve_forever(int requests, int answers, int output);
  bool take_output(Answer& answer);
  int wait_for_end() const;
  void end_group();

  Serve serve_;
  pid_t pid_ = -1;
  std::vector<pid_t> others_;  ///< children that this process had before
  int request_ = -1;
  int answer_ = -1;
  int output_ = -1;
};

/// Notes what the plugin is about to do ("the loading of the file"), for the message when it never comes back. Costs a
/// copy of the text into memory that the parent sees; does nothing outside of a child.
void note_activity(std::string_view what);

/// While it lives, every activity is noted with these words behind it: "random case with seed 4".
class ActivityContext {
 public:
  explicit ActivityContext(std::string_view words);
  ~ActivityContext();
  ActivityContext(const ActivityContext&) = delete;
  ActivityContext& operator=(const ActivityContext&) = delete;
};

/// True in a process that the plugin made by fork() and that came back into our code: it must end at once.
bool is_stray_copy();

}  // namespace kdhost::check
