// SPDX-License-Identifier: MIT
// A plugin that loads like any other and then breaks its word while it works: one loss for each way. The engine's
// tests train with them and look at the error that comes out.
#include <kdhost/plugin.hpp>

#include <limits>
#include <stdexcept>

using namespace kdhost;

namespace {

// Every loss here takes student logits and gives what its name says.
template <class Derived>
struct Misbehaving : Loss {
  static void describe(Spec& s) {
    s.id(Derived::kId).version("1.0.0").summary("breaks its word");
    s.input("student.logits");
  }
};

struct ThrowsInCreate final : Misbehaving<ThrowsInCreate> {
  static constexpr const char* kId = "zoo.throws_in_create";
  ThrowsInCreate() { throw std::runtime_error("no instance today"); }
  Tensor compute(const Call& c) override { return c["student.logits"].mean(); }
};

struct ThrowsInCompute final : Misbehaving<ThrowsInCompute> {
  static constexpr const char* kId = "zoo.throws_in_compute";
  Tensor compute(const Call&) override { throw std::runtime_error("no value today"); }
};

struct ThrowsNumber final : Misbehaving<ThrowsNumber> {
  static constexpr const char* kId = "zoo.throws_number";
  Tensor compute(const Call&) override { throw 42; }
};

struct WrongShape final : Misbehaving<WrongShape> {
  static constexpr const char* kId = "zoo.wrong_shape";
  Tensor compute(const Call& c) override { return c["student.logits"] * 2.0; }
};

struct ReturnsNothing final : Misbehaving<ReturnsNothing> {
  static constexpr const char* kId = "zoo.returns_nothing";
  Tensor compute(const Call&) override { return Tensor(); }
};

struct ReturnsNan final : Misbehaving<ReturnsNan> {
  static constexpr const char* kId = "zoo.returns_nan";
  Tensor compute(const Call& c) override {
    return c["student.logits"].mean() * std::numeric_limits<double>::quiet_NaN();
  }
};

struct WithoutGradient final : Misbehaving<WithoutGradient> {
  static constexpr const char* kId = "zoo.without_gradient";
  Tensor compute(const Call& c) override { return c["student.logits"].detach().mean(); }
};

struct IgnoresTeacher final : Loss {
  static void describe(Spec& s) {
    s.id("zoo.ignores_teacher").version("1.0.0").summary("breaks its word");
    s.input("student.logits");
    s.input("teacher.logits");
  }
  Tensor compute(const Call& c) override { return c["student.logits"].mean() + 0.0 * c["teacher.logits"].mean(); }
};

struct UnknownInput final : Misbehaving<UnknownInput> {
  static constexpr const char* kId = "zoo.unknown_input";
  Tensor compute(const Call& c) override { return c["student.logit"].mean(); }
};

}  // namespace

KDHOST_PLUGIN("zoo.misbehaving", "1.0.0", ThrowsInCreate, ThrowsInCompute, ThrowsNumber, WrongShape, ReturnsNothing,
              ReturnsNan, WithoutGradient, IgnoresTeacher, UnknownInput)
