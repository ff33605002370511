// SPDX-License-Identifier: MIT
// A plugin that misbehaves while it is loaded or asked for its description, in the way that the environment variable
// KDHOST_ZOO names; without it, it is whole. One file for all ways, because the validator's tests only have to set
// another value. What of LibTorch it changes it finds by name in the process, since a portable plugin links none.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cfenv>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <kdhost/plugin.hpp>
#include <stdexcept>
#include <thread>

using namespace kdhost;

namespace {

bool wanted(const char* way) {
  const char* chosen = std::getenv("KDHOST_ZOO");
  return chosen != nullptr && std::strcmp(chosen, way) == 0;
}

// A function of the program by its symbol; the process is one with LibTorch.
template <class Function>
Function* in_process(const char* symbol) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, symbol));
}

// Until there is no more. Kept in a vector, since the compiler may leave out memory that nobody uses.
void eat_memory() {
  std::vector<std::unique_ptr<char[]>> pieces;
  for (;;) pieces.emplace_back(new char[std::size_t{256} << 20U]);
}

void flood() {
  char line[4096];
  std::memset(line, 'x', sizeof line);
  for (int i = 0; i < 5000; ++i) {
    if (::write(STDOUT_FILENO, line, sizeof line) < 0) return;
  }
}

void wait_forever() {
  for (;;) ::sleep(1000);
}

// A copy that stays: in the group, or out of it.
void fork_and_stay(bool leave_group) {
  if (::fork() != 0) return;
  if (leave_group) ::setsid();
  wait_forever();
}

void draw_random_numbers() {
  // at::Generator is a pointer to its implementation.
  auto* generator = in_process<void* const&()>("_ZN2at6detail22getDefaultCPUGeneratorEv");
  auto* set_seed = in_process<void(void*, std::uint64_t)>("_ZN2at16CPUGeneratorImpl16set_current_seedEm");
  set_seed(generator(), 4711);
}

void handle(int) {}

struct Unruly {
  Unruly() {
    if (wanted("throw")) throw std::runtime_error("not today");
    if (wanted("abort")) std::abort();
    if (wanted("segfault")) ::raise(SIGSEGV);
    if (wanted("sleep")) wait_forever();
    if (wanted("spin"))
      for (volatile int i = 0;; i = i + 1) {
      }
    if (wanted("slow")) ::usleep(150000);
    if (wanted("exit")) std::exit(0);
    if (wanted("fork")) ::fork();
    if (wanted("fork_and_stay")) fork_and_stay(false);
    if (wanted("fork_and_leave")) fork_and_stay(true);
    if (wanted("fork_and_crash")) {
      fork_and_stay(true);
      std::abort();
    }
    if (wanted("close_input")) ::close(STDIN_FILENO);
    if (wanted("open_file") && ::open("/dev/null", O_RDONLY) < 0) std::abort();
    if (wanted("memory")) eat_memory();
    if (wanted("flood")) flood();
    if (wanted("print")) std::puts("hello from a plugin");
    if (wanted("error_output")) std::fputs("warning: nobody asked\n", stderr);
    if (wanted("thread")) std::thread(wait_forever).detach();
    if (wanted("signal")) ::signal(SIGINT, handle);
    if (wanted("mask")) block_signals();
    if (wanted("grad_mode")) in_process<void(bool)>("_ZN3c108GradMode11set_enabledEb")(false);
    if (wanted("default_dtype")) in_process<void(std::uint16_t)>("_ZN3c1017set_default_dtypeEN6caffe28TypeMetaE")(7);
    if (wanted("torch_threads")) in_process<void(int)>("_ZN2at15set_num_threadsEi")(1 + ::getpid() % 2 + 6);
    if (wanted("random_state")) draw_random_numbers();
    if (wanted("locale")) std::setlocale(LC_ALL, "C.UTF-8");
    if (wanted("rounding")) std::fesetround(FE_UPWARD);
    if (wanted("environment")) ::setenv("KDHOST_ZOO_WAS_HERE", "1", 1);
    if (wanted("folder") && ::chdir("/") != 0) std::abort();
    if (wanted("umask")) ::umask(0);
  }
  static void block_signals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  }
};
const Unruly unruly;

struct Mean final : Loss {
  static void describe(Spec& s) {
    s.id("zoo.unruly").version("1.0.0").summary("the mean of the logits");
    s.input("student.logits").doc("[N, C]");
  }
  Tensor compute(const Call& c) override { return c["student.logits"].mean(); }
};

// What is said the second time, or to somebody else.
const kdh_plugin* another_description(const kdh_plugin& usual) {
  static kdh_plugin other = usual;
  static const std::string version = "1.0.1";
  other.version = {version.data(), version.size()};
  return &other;
}

const kdh_plugin* answer(std::uint32_t minor) {
  static std::atomic<int> asked{0};
  static const ::pthread_t first = ::pthread_self();
  const kdh_plugin* usual =
      kdhost::detail::plugin<Mean>("zoo.unruly", "1.0.0", KDH_TIER_PORTABLE, KDHOST_BUILT_WITH, "");
  const bool again = asked.fetch_add(1) > 0;
  if (wanted("query_throws")) throw std::runtime_error("ask tomorrow");
  if (wanted("query_null")) return nullptr;
  if (wanted("query_crashes")) ::raise(SIGSEGV);
  if (wanted("query_prints") && !again) std::puts("here I am");
  if (wanted("query_changes") && again) return another_description(*usual);
  if (wanted("query_other_thread") && ::pthread_equal(first, ::pthread_self()) == 0) return another_description(*usual);
  if (wanted("query_picky") && minor > KDH_ABI_MINOR) return nullptr;
  return usual;
}

}  // namespace

extern "C" KDHOST_RECORD_ATTRIBUTES const char kdh_record[::kdhost::detail::record_room<Mean>()] =
    KDH_RECORD_MAGIC " abi=1.0 tier=portable name=zoo.unruly version=1.0.0 built_with=" KDHOST_BUILT_WITH "\n";
extern "C" KDH_EXPORT const kdh_plugin* kdh_plugin_query(std::uint32_t, std::uint32_t minor) { return answer(minor); }
