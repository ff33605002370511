// SPDX-License-Identifier: MIT
// A plugin that loads, passes the dry batch, trains, and breaks its word at a certain step of training, in the way that
// a parameter names; not while the environment variable KDHOST_ZOO_MENDED is set. The tests look at what a run says,
// and go on with it from its checkpoint. On demand (KDHOST_ZOO) it does not come back from being created, or writes to
// its input in the dry batch, through a pointer.
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <kdhost/plugin.hpp>
#include <limits>
#include <stdexcept>

using namespace kdhost;

namespace {

struct Fault {
  explicit Fault(const Params& p) : way_(p.text("way")), at_(p.integer("at")) {}

  static void describe(Spec& s) {
    s.text("way", "throw").doc("what it does");
    s.integer("at", 3).doc("at which step, counted from 1");
  }
  bool due(const Call& c) const {
    return !c.dry() && c.training() && c.moment().step() + 1 == at_ && std::getenv("KDHOST_ZOO_MENDED") == nullptr;
  }
  bool is(const char* way) const { return way_ == way; }

 private:
  std::string way_;
  std::int64_t at_;
};

// What KDHOST_ZOO says, as in unruly.cpp.
bool wanted(const char* way) {
  const char* chosen = std::getenv("KDHOST_ZOO");
  return chosen != nullptr && std::strcmp(chosen, way) == 0;
}

// Each call takes more of the stack than the last left, until there is no more.
int overflow(volatile char* above) {
  volatile char room[4096];
  if (above == nullptr) return 0;  // never
  room[0] = *above;
  return overflow(room) + room[0];
}

struct FailsInBackward {
  bool wrong_shape = false;
  Tensor forward(const Tensors& in, Tensors&) const { return in[0].mean(); }
  Tensors backward(const Tensors&, const Tensor& given) const {
    if (wrong_shape) return {given.reshape({1}).expand({7})};
    throw std::runtime_error("no slope today");
  }
};

struct Late final : Loss {
  static void describe(Spec& s) {
    s.id("zoo.late").version("1.0.0").summary("breaks its word at one step");
    s.input("student.logits").doc("[N, C]");
    Fault::describe(s);
  }
  explicit Late(const Params& p) : fault_(p) {
    if (wanted("crash_in_create")) crash();
    if (wanted("abort_in_create")) std::abort();
    if (wanted("exit_in_create")) std::exit(0);
    if (wanted("hang_in_create")) hang();
  }

  Tensor compute(const Call& c) override {
    const Tensor& logits = c["student.logits"];
    Tensor usual = (logits * logits).mean();
    if (c.dry() && wanted("write_through_pointer")) *logits.detach().mutable_data<float>() += 1.0f;
    if (!fault_.due(c)) return usual;
    if (fault_.is("throw")) throw std::runtime_error("no value today");
    if (fault_.is("nan")) return usual * std::numeric_limits<double>::quiet_NaN();
    if (fault_.is("crash")) crash();
    if (fault_.is("overflow")) {
      volatile char first = 1;
      return usual * static_cast<double>(overflow(&first));
    }
    if (fault_.is("abort")) std::abort();
    if (fault_.is("exit")) std::exit(0);
    if (fault_.is("hang")) hang();
    if (fault_.is("change_input")) add_(logits.detach(), 1.0);
    if (fault_.is("vector")) return logits.mean(1);
    if (fault_.is("whole_number")) return usual.detach().to(Dtype::i64);
    if (fault_.is("no_gradient")) return usual.detach();
    if (fault_.is("throw_in_backward")) return custom_grad("zoo.slope", FailsInBackward{}, {logits});
    if (fault_.is("wrong_slope")) return custom_grad("zoo.slope", FailsInBackward{true}, {logits});
    return usual;
  }

 private:
  static void crash() {
    int* volatile nowhere = nullptr;
    *nowhere = 1;
  }
  static void hang() {
    for (;;) ::sleep(1000);
  }
  Fault fault_;
};

struct LateModel final : Model {
  static void describe(Spec& s) {
    s.id("zoo.late_model").version("1.0.0").summary("a linear layer that breaks its word at one step");
    s.integer("classes", 3).doc("logits");
    Fault::describe(s);
    s.input("batch.input").doc("[N, features]");
    s.output("logits").doc("[N, classes]");
  }
  LateModel(const Params& p, const Ports& ports, Builder& b)
      : fault_(p), layer_(b.linear("fc", ports.size("batch.input", 1), p.integer("classes"))) {}
  void forward(const Call& c, Outputs& out) override {
    const Tensor logits = layer_(c, c["batch.input"]);
    if (!fault_.due(c)) return out.set("logits", logits);
    if (fault_.is("fewer_rows")) return out.set("logits", logits.narrow(0, 0, logits.size(0) - 1));
    if (fault_.is("more_classes")) return out.set("logits", cat({logits, logits}, 1));
    if (fault_.is("no_gradient")) return out.set("logits", logits.detach());
    if (fault_.is("change_input")) add_(c["batch.input"], 1.0);
    if (fault_.is("throw")) throw std::runtime_error("no logits today");
    out.set("logits", logits);
  }

 private:
  Fault fault_;
  nn::Linear layer_;
};

}  // namespace

KDHOST_PLUGIN("zoo.late", "1.0.0", Late, LateModel)
