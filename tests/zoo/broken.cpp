// SPDX-License-Identifier: MIT
// A plugin whose file, loading and description are in order, and whose components each break one promise of their kind.
// The validator's tests check them one by one; each has the name of what it breaks.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <clocale>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <kdhost/plugin.hpp>
#include <limits>
#include <stdexcept>
#include <thread>

using namespace kdhost;

namespace {

// What most of these losses compute when they do not break their promise.
Tensor distance(const Call& c) {
  const Tensor d = c["student.logits"] - c["teacher.logits"].detach();
  return (d * d).mean();
}

struct Pair : Loss {
  static void describe(Spec& s, const char* id) {
    s.id(id).version("1.0.0").summary("breaks a promise");
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
  }
};

// ---- life

struct RefusesItsBound final : Pair {
  static void describe(Spec& s) {
    Pair::describe(s, "zoo.refuses_its_bound");
    s.integer("width", 4).range(1, 8).doc("works up to 7");
  }
  explicit RefusesItsBound(const Params& p) {
    if (p.integer("width") > 7) throw std::invalid_argument("8 is too wide");
  }
  Tensor compute(const Call& c) override { return distance(c); }
};

struct TrustsTypes final : Pair {
  static void describe(Spec& s) {
    Pair::describe(s, "zoo.trusts_types");
    s.number("scale", 1.0).doc("factor");
  }
  explicit TrustsTypes(const Params& p) {
    try {
      p.number("scale");
    } catch (...) {
      std::abort();
    }
  }
  Tensor compute(const Call& c) override { return distance(c); }
};

struct StaysOnItsThread final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.stays_on_its_thread"); }
  ~StaysOnItsThread() override {
    if (std::this_thread::get_id() != made_) std::abort();
  }
  Tensor compute(const Call& c) override { return distance(c); }

 private:
  std::thread::id made_ = std::this_thread::get_id();
};

struct CountsInstances final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.counts_instances"); }
  CountsInstances() { ++alive; }
  ~CountsInstances() override { --alive; }
  Tensor compute(const Call& c) override { return distance(c) * static_cast<double>(alive.load()); }
  static inline std::atomic<int> alive{0};
};

struct LeaksInCreate final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.leaks_in_create"); }
  LeaksInCreate() { lost = new char[1000]; }
  Tensor compute(const Call& c) override { return distance(c); }
  static inline char* volatile lost = nullptr;
};

struct CrashesInDestroy final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.crashes_in_destroy"); }
  ~CrashesInDestroy() override { ::raise(SIGSEGV); }
  Tensor compute(const Call& c) override { return distance(c); }
};

struct HangsInCreate final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.hangs_in_create"); }
  HangsInCreate() {
    for (;;) ::sleep(1000);
  }
  Tensor compute(const Call& c) override { return distance(c); }
};

// ---- calls of any kind

struct Throws final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.throws"); }
  Tensor compute(const Call&) override { throw std::runtime_error("no value today"); }
};

struct Crashes final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.crashes"); }
  Tensor compute(const Call&) override {
    ::raise(SIGSEGV);
    return Tensor();
  }
};

struct Hangs final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.hangs"); }
  Tensor compute(const Call&) override {
    for (;;) ::sleep(1000);
  }
};

struct Exits final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.exits"); }
  Tensor compute(const Call&) override { std::_Exit(0); }
};

struct Remembers final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.remembers"); }
  Tensor compute(const Call& c) override { return distance(c) * (1.0 + 0.1 * calls_++); }

 private:
  int calls_ = 0;
};

struct ChangesInput final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.changes_input"); }
  Tensor compute(const Call& c) override {
    const Tensor teacher = c["teacher.logits"];
    const_cast<float*>(teacher.data<float>())[0] += 1.0F;
    return distance(c);
  }
};

struct WorksInPlace final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.works_in_place"); }
  Tensor compute(const Call& c) override {
    relu_(c["student.logits"]);
    return distance(c);
  }
};

struct IgnoresMissing final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.ignores_missing"); }
  Tensor compute(const Call& c) override { return c.has("teacher.logits") ? distance(c) : c["student.logits"].mean(); }
};

struct ChangesLocale final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.changes_locale"); }
  Tensor compute(const Call& c) override {
    std::setlocale(LC_ALL, std::strcmp(std::setlocale(LC_ALL, nullptr), "C") == 0 ? "C.UTF-8" : "C");
    return distance(c);
  }
};

struct LosesFiles final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.loses_files"); }
  Tensor compute(const Call& c) override {
    if (::open("/dev/null", O_RDONLY) < 0) throw std::runtime_error("no file");
    return distance(c);
  }
};

struct BreaksOnError final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.breaks_on_error"); }
  Tensor compute(const Call& c) override {
    scale_ *= 2.0;
    const Tensor value = distance(c) + 0.0 * log_softmax(c["student.logits"], 1).mean();
    scale_ /= 2.0;
    return value * scale_;
  }

 private:
  double scale_ = 1.0;
};

// ---- losses

struct NotFinite final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.not_finite"); }
  Tensor compute(const Call& c) override { return distance(c) * std::numeric_limits<double>::infinity(); }
};

struct NotScalar final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.not_scalar"); }
  Tensor compute(const Call& c) override { return c["student.logits"] - c["teacher.logits"]; }
};

struct OnlyFloat32 final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.only_float32"); }
  Tensor compute(const Call& c) override { return distance(c).to(Dtype::f32); }
};

struct OnlyFour final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.only_four"); }
  Tensor compute(const Call& c) override {
    if (c["student.logits"].size(0) == 17) throw std::invalid_argument("batches of 17 are not for me");
    return distance(c);
  }
};

struct DividesByPairs final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.divides_by_pairs"); }
  Tensor compute(const Call& c) override {
    const auto n = static_cast<double>(c["student.logits"].size(0));
    return distance(c) * 0.0 + (distance(c) * 0.0) / (n * (n - 1.0));
  }
};

// The first element, whatever the strides and the dtype.
const float* raw_memory(const Tensor& tensor) {
  void* memory = nullptr;
  kdhost::detail::check(kdhost::detail::host->tensor_data(kdhost::detail::host, tensor.get(), &memory));
  return static_cast<const float*>(memory);
}

struct IgnoresStrides final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.ignores_strides"); }
  Tensor compute(const Call& c) override {
    const Tensor teacher = c["teacher.logits"];
    return distance(c) + static_cast<double>(raw_memory(teacher)[1]);
  }
};

struct NeedsOptional final : Pair {
  static void describe(Spec& s) {
    Pair::describe(s, "zoo.needs_optional");
    s.input("batch.label").doc("int64 [N]").optional();
  }
  Tensor compute(const Call& c) override { return distance(c) + 0.0 * c["batch.label"].to(Dtype::f32).mean(); }
};

struct NoGradient final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.no_gradient"); }
  Tensor compute(const Call& c) override { return distance(c).detach(); }
};

struct ZeroGradient final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.zero_gradient"); }
  Tensor compute(const Call& c) override { return distance(c).detach() + 0.0 * c["student.logits"].mean(); }
};

struct PullsTeacher final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.pulls_teacher"); }
  Tensor compute(const Call& c) override {
    const Tensor d = c["student.logits"] - c["teacher.logits"];
    return (d * d).mean();
  }
};

struct AnyShape final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.any_shape"); }
  Tensor compute(const Call& c) override {
    const Tensor d = c["student.logits"].mean() - c["teacher.logits"].detach().mean();
    return d * d;
  }
};

struct LooksAtGradMode final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.looks_at_grad_mode"); }
  Tensor compute(const Call& c) override { return distance(c) * (grad_enabled() ? 1.0 : 2.0); }
};

// A gradient that is wrong, on purpose: that of the value divided by two.
struct HalfSquare {
  Tensor forward(const Tensors& in, Tensors& saved) {
    saved.push_back(in[0]);
    return (in[0] * in[0]).mean();
  }
  Tensors backward(const Tensors& saved, const Tensor& given) {
    return {saved[0] * given * (1.0 / static_cast<double>(saved[0].numel()))};
  }
};

struct WrongGradient final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.wrong_gradient"); }
  Tensor compute(const Call& c) override {
    return custom_grad("zoo.half_square", HalfSquare{}, {c["student.logits"] - c["teacher.logits"].detach()});
  }
};

// Its backward pass needs the instance, which may be gone by then.
struct UsesInstance {
  std::shared_ptr<int> alive;
  Tensor forward(const Tensors& in, Tensors& saved) {
    saved.push_back(in[0]);
    return (in[0] * in[0]).mean();
  }
  Tensors backward(const Tensors& saved, const Tensor& given) {
    if (alive.use_count() < 2) throw std::runtime_error("the instance is gone");
    return {saved[0] * given * (2.0 / static_cast<double>(saved[0].numel()))};
  }
};

struct DiesWithInstance final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.dies_with_instance"); }
  Tensor compute(const Call& c) override {
    return custom_grad("zoo.uses_instance", UsesInstance{alive_}, {c["student.logits"] - c["teacher.logits"].detach()});
  }

 private:
  std::shared_ptr<int> alive_ = std::make_shared<int>(1);
};

// Only the thread that computed can go back.
struct OwnThread {
  std::thread::id made = std::this_thread::get_id();
  Tensor forward(const Tensors& in, Tensors& saved) {
    saved.push_back(in[0]);
    return (in[0] * in[0]).mean();
  }
  Tensors backward(const Tensors& saved, const Tensor& given) {
    if (std::this_thread::get_id() != made) throw std::runtime_error("another thread");
    return {saved[0] * given * (2.0 / static_cast<double>(saved[0].numel()))};
  }
};

struct BackOnItsThread final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.back_on_its_thread"); }
  Tensor compute(const Call& c) override {
    return custom_grad("zoo.own_thread", OwnThread{}, {c["student.logits"] - c["teacher.logits"].detach()});
  }
};

struct IdlePart final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.idle_part"); }
  IdlePart(const Params&, const Ports& ports, Builder& b)
      : used_(b.linear("used", ports.size("student.logits", 1), ports.size("teacher.logits", 1))),
        idle_(b.linear("idle", 2, 2)) {}
  Tensor compute(const Call& c) override {
    const Tensor d = used_(c, c["student.logits"]) - c["teacher.logits"].detach();
    return (d * d).mean();
  }

 private:
  nn::Linear used_, idle_;
};

struct Overflows final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.overflows"); }
  Tensor compute(const Call& c) override {
    return (log(exp(c["student.logits"]).sum(1)) - c["teacher.logits"].detach().mean()).mean();
  }
};

struct HidesNan final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.hides_nan"); }
  Tensor compute(const Call& c) override {
    const double value = distance(c).item();
    return value == value ? distance(c) : c["teacher.logits"].mean();
  }
};

struct DiesOfEmpty final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.dies_of_empty"); }
  Tensor compute(const Call& c) override {
    if (c["student.logits"].numel() == 0) std::abort();
    return distance(c);
  }
};

struct SharesMemory final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.shares_memory"); }
  Tensor compute(const Call& c) override {
    const int here = ++inside;
    ::usleep(3000);
    const int others = inside - here;
    const Tensor value = distance(c) * (here == 1 && others == 0 ? 1.0 : 2.0);
    --inside;
    return value;
  }
  static inline std::atomic<int> inside{0};
};

struct FuzzyCrash final : Pair {
  static void describe(Spec& s) {
    Pair::describe(s, "zoo.fuzzy_crash");
    s.number("scale", 1.0).range(0.0, 10.0).doc("above 5 it crashes").schedulable();
  }
  Tensor compute(const Call& c) override {
    if (c.number("scale") > 5.0) std::abort();
    return distance(c);
  }
};

struct WritesOutside final : Pair {
  static void describe(Spec& s) { Pair::describe(s, "zoo.writes_outside"); }
  Tensor compute(const Call& c) override {
    volatile std::size_t beyond = 17;  // so that the compiler does not see it
    volatile char* memory = new char[16];
    memory[beyond] = 1;
    delete[] memory;
    return distance(c);
  }
};

}  // namespace

KDHOST_PLUGIN("zoo.broken", "1.0.0", RefusesItsBound, TrustsTypes, StaysOnItsThread, CountsInstances, LeaksInCreate,
              CrashesInDestroy, HangsInCreate, Throws, Crashes, Hangs, Exits, Remembers, ChangesInput, WorksInPlace,
              IgnoresMissing, ChangesLocale, LosesFiles, BreaksOnError, NotFinite, NotScalar, OnlyFloat32, OnlyFour,
              DividesByPairs, IgnoresStrides, NeedsOptional, NoGradient, ZeroGradient, PullsTeacher, AnyShape,
              LooksAtGradMode, WrongGradient, DiesWithInstance, BackOnItsThread, IdlePart, Overflows, HidesNan,
              DiesOfEmpty, SharesMemory, FuzzyCrash, WritesOutside)
