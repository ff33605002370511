// SPDX-License-Identifier: MIT
// Forking, limits, pipes and the end of a process group; see child.hpp.
#include "check/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <utility>
#include <vector>

#include "base/crash.hpp"
#include "base/error.hpp"

namespace kdhost::check {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kKeptOutput = 16384;
constexpr std::size_t kActivityRoom = 4096;
// How much memory of its own a plugin may ask for, above what the process has when it is forked.
constexpr rlim_t kMemory = rlim_t{2} << 30U;
// A plugin that closes low descriptors by number does not hit the pipes.
constexpr int kLowestDescriptor = 200;

// Shared with the children. One page is enough, since only one child runs at a time.
char* activity_page() {
  static char* const page = [] {
    void* memory = ::mmap(nullptr, kActivityRoom, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
  }();
  return page;
}

// The process that serves requests; 0 everywhere else.
pid_t serving_process = 0;

std::string& activity_context() {
  static std::string context;
  return context;
}

[[noreturn]] void refuse(const char* what) {
  const std::string why = std::strerror(errno);
  throw Error(Exit::internal, Message{.where = "kdhost check",
                                      .what = std::string(what) + ": " + why + ".",
                                      .mend = "Free processes or file descriptors, or use --in-process."});
}

// Both ends where a plugin's own descriptors are not.
std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) refuse("a pipe cannot be made");
  for (int& end : ends) {
    if (const int moved = ::fcntl(end, F_DUPFD_CLOEXEC, kLowestDescriptor); moved >= 0) {
      ::close(end);
      end = moved;
    }
  }
  return ends;
}

bool write_all(int to, const void* data, std::size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(to, bytes, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool read_all(int from, void* data, std::size_t size) {
  char* bytes = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t n = ::read(from, bytes, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool write_message(int to, const std::string& text) {
  const std::uint64_t size = text.size();
  return write_all(to, &size, sizeof size) && write_all(to, text.data(), text.size());
}

bool read_message(int from, std::string& text) {
  std::uint64_t size = 0;
  if (!read_all(from, &size, sizeof size) || size > (std::uint64_t{1} << 26U)) return false;
  text.resize(static_cast<std::size_t>(size));
  return read_all(from, text.data(), text.size());
}

void close_end(int& end) {
  if (end >= 0) ::close(end);
  end = -1;
}

// Children of this process, by looking through /proc: the kernel's own list is not in every kernel.
std::vector<pid_t> own_children() {
  std::vector<pid_t> found;
  const std::string self = std::to_string(::getpid());
  std::error_code failed;
  for (std::filesystem::directory_iterator it("/proc", failed), end; !failed && it != end; it.increment(failed)) {
    const std::string name = it->path().filename();
    pid_t pid = 0;
    const auto [stop, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc() || stop != name.data() + name.size()) continue;
    std::ifstream stat(it->path() / "stat");
    std::string line;
    if (!std::getline(stat, line)) continue;
    // "pid (name) state parent": the name may hold anything, so the fields count from its last bracket.
    const std::size_t bracket = line.rfind(')');
    if (bracket == std::string::npos || bracket + 4 >= line.size()) continue;
    const std::size_t begin = bracket + 4;
    if (line.substr(begin, line.find(' ', begin) - begin) == self) found.push_back(pid);
  }
  return found;
}

// Memory that counts against RLIMIT_DATA now, in bytes.
rlim_t data_in_use() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmData:", 0) == 0) return static_cast<rlim_t>(std::strtoull(line.c_str() + 7, nullptr, 10)) * 1024U;
  }
  return 0;
}

void limit_resources() {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  rlimit memory{};
  if (::getrlimit(RLIMIT_DATA, &memory) != 0) return;
  memory.rlim_cur = std::min(memory.rlim_max, data_in_use() + kMemory);
  ::setrlimit(RLIMIT_DATA, &memory);
}

}  // namespace

void note_activity(std::string_view what) {
  if (serving_process == 0 || activity_page() == nullptr) return;
  const std::string& context = activity_context();
  const std::string text = std::string(what) + (context.empty() ? "" : ", " + context);
  const std::size_t n = std::min(text.size(), kActivityRoom - 1);
  std::memcpy(activity_page(), text.data(), n);
  activity_page()[n] = '\0';
}

ActivityContext::ActivityContext(std::string_view words) { activity_context() = words; }

ActivityContext::~ActivityContext() { activity_context().clear(); }

bool is_stray_copy() { return serving_process != 0 && ::getpid() != serving_process; }

Child::Child(Serve serve) : serve_(std::move(serve)) {
  activity_page();
  // Whatever the child leaves behind becomes ours when the child is gone, so that it can be found and ended.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

Child::~Child() { stop(); }

void Child::start() {
  const std::array<int, 2> requests = make_pipe();
  const std::array<int, 2> answers = make_pipe();
  const std::array<int, 2> output = make_pipe();
  // Else both processes would write what lies in the buffers.
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  others_ = own_children();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) refuse("a process cannot be started");
  if (pid == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != parent) ::_exit(0);
    for (const int end : {requests[1], answers[0], output[0]}) ::close(end);
    serve_forever(requests[0], answers[1], output[1]);
  }
  ::setpgid(pid, pid);  // in both processes: whichever runs first
  for (const int end : {requests[0], answers[1], output[1]}) ::close(end);
  ::fcntl(output[0], F_SETFL, O_NONBLOCK);
  pid_ = pid;
  request_ = requests[1];
  answer_ = answers[0];
  output_ = output[0];
}

void Child::serve_forever(int requests, int answers, int output) {
  serving_process = ::getpid();
  leave_crashes_alone();
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::close(nothing);
  ::close(output);
  limit_resources();
  for (std::string request; read_message(requests, request);) {
    const std::string answer = serve_(request);
    if (is_stray_copy()) break;
    std::cout.flush();
    std::cerr.flush();
    std::fflush(nullptr);
    if (!write_message(answers, answer)) break;
  }
  // Destructors of static objects are the parent's business.
  ::_exit(0);
}

bool Child::take_output(Answer& answer) {
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t n = ::read(output_, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    answer.output_bytes += static_cast<std::uint64_t>(n);
    const std::size_t room = kKeptOutput - std::min(kKeptOutput, answer.output.size());
    answer.output.append(buffer.data(), std::min(room, static_cast<std::size_t>(n)));
  }
}

Answer Child::ask(const std::string& request, double limit) {
  if (!running()) start();
  if (activity_page() != nullptr) activity_page()[0] = '\0';
  Answer answer;
  const Clock::time_point begin = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  bool alive = write_message(request_, request);
  bool output_open = true;
  for (bool done = false; alive && !done;) {
    std::array<pollfd, 2> waiting{{{answer_, POLLIN, 0}, {output_open ? output_ : -1, POLLIN, 0}}};
    // Short waits, because a copy of the child can hold its pipes open when the child itself is gone.
    ::poll(waiting.data(), waiting.size(), 50);
    if (output_open && waiting[1].revents != 0) output_open = take_output(answer);
    if (waiting[0].revents != 0) {
      done = alive = read_message(answer_, answer.text);
    } else if (elapsed() > limit) {
      answer.end = Answer::End::timed_out;
      break;
    } else {
      siginfo_t info{};
      ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
      alive = info.si_pid == 0;
    }
  }
  if (output_open) take_output(answer);
  ::sigaction(SIGPIPE, &before, nullptr);
  answer.seconds = elapsed();
  if (activity_page() != nullptr) answer.activity = activity_page();
  if (!alive) {
    answer.end = Answer::End::died;
    answer.status = wait_for_end();
  }
  if (answer.end != Answer::End::answered) end_group();
  return answer;
}

// The end may be seen at the pipe before the process can be waited for; one that has only closed its pipes is ended.
int Child::wait_for_end() const {
  int status = 0;
  for (int i = 0; i < 100; ++i) {
    if (::waitpid(pid_, &status, WNOHANG) == pid_) return status;
    ::usleep(2000);
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status, 0);
  return status;
}

void Child::stop() {
  if (running()) end_group();
}

void Child::end_group() {
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-pid_, &status, 0);
    if (ended < 0 && errno == EINTR) continue;
    if (ended <= 0) break;
  }
  // A process that left the group has become a child of ours.
  for (int round = 0; round < 10; ++round) {
    std::vector<pid_t> left = own_children();
    std::erase_if(left, [&](pid_t pid) { return std::find(others_.begin(), others_.end(), pid) != others_.end(); });
    if (left.empty()) break;
    for (const pid_t pid : left) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }
  close_end(request_);
  close_end(answer_);
  close_end(output_);
  pid_ = -1;
}

}  // namespace kdhost::check
